// SPDX-License-Identifier: Apache-2.0
#include "detect/address.hpp"

#include <algorithm>
#include <cstring>

namespace sonde::detect {

namespace {

struct Block {
  std::array<std::uint8_t, 4> address;
  int length;
};

// RFC 6890 and its registry; documentation blocks are left out: they stand for public addresses in tests and manuals.
constexpr Block private_ipv4[] = {{{0, 0, 0, 0}, 8},      {{10, 0, 0, 0}, 8},     {{100, 64, 0, 0}, 10},
                                  {{127, 0, 0, 0}, 8},    {{169, 254, 0, 0}, 16}, {{172, 16, 0, 0}, 12},
                                  {{192, 168, 0, 0}, 16}, {{198, 18, 0, 0}, 15},  {{224, 0, 0, 0}, 3}};

bool contains(const Block& block, const std::uint8_t* address) {
  std::uint32_t a = 0, b = 0;
  for (int i = 0; i < 4; ++i) {
    a = a << 8 | block.address[static_cast<std::size_t>(i)];
    b = b << 8 | address[i];
  }
  return (a ^ b) >> (32 - block.length) == 0;
}

}  // namespace

std::uint64_t hash_of(const Address& address) {
  std::uint64_t high = 0, low = 0;
  std::memcpy(&high, address.data(), 8);
  std::memcpy(&low, address.data() + 8, 8);
  return combine(mix(high + 0x9e3779b97f4a7c15ULL), low);
}

bool is_one_host(const Address& address) {
  const Endpoint endpoint{address, 0};
  if (endpoint.is_ipv4()) {
    const bool nobody = std::all_of(address.begin() + 12, address.end(), [](auto byte) { return byte == 0; });
    return !nobody && address[12] < 224;
  }
  return address[0] != 0xff && std::ranges::any_of(address, [](auto byte) { return byte != 0; });
}

bool is_private(const Address& address) {
  if (Endpoint{address, 0}.is_ipv4())
    return std::ranges::any_of(private_ipv4, [&](const auto& block) { return contains(block, address.data() + 12); });
  // fc00::/7, fe80::/10, ff00::/8, and ::/64 with the loopback address.
  return (address[0] & 0xfe) == 0xfc || (address[0] == 0xfe && (address[1] & 0xc0) == 0x80) || address[0] == 0xff ||
         std::all_of(address.begin(), address.begin() + 8, [](auto byte) { return byte == 0; });
}

std::string address_text(const Address& address) { return Endpoint{address, 0}.address_text(); }

}  // namespace sonde::detect
