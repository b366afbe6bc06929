// SPDX-License-Identifier: Apache-2.0
#include "actuators/guard/network.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>

#include "actuators/guard/tables/facts.hpp"
#include "sonde/endpoint.hpp"

namespace sonde::guard {
namespace {

using Address = std::array<std::uint8_t, 16>;

constexpr unsigned ipv4_bits_before = 96;
constexpr Address mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0};

// inet_pton(3) wants a string with an end of its own, and a list may have a million addresses.
bool read_ipv4(std::string_view word, std::uint8_t* bytes) {
  const char* at = word.data();
  const char* const end = at + word.size();
  for (int i = 0; i < 4; ++i) {
    if (i > 0 && (at == end || *at++ != '.')) return false;
    const auto [rest, error] = std::from_chars(at, end, bytes[i]);
    // "010" is eight to some programs and ten to others: inet_pton(3) takes neither.
    if (error != std::errc{} || rest - at > 3 || (rest - at > 1 && *at == '0')) return false;
    at = rest;
  }
  return at == end;
}

bool read_ipv6(std::string_view word, std::uint8_t* bytes) {
  char text[INET6_ADDRSTRLEN] = {};
  if (word.size() >= sizeof(text) || word.find('\0') != std::string_view::npos) return false;
  std::memcpy(text, word.data(), word.size());
  return ::inet_pton(AF_INET6, text, bytes) == 1;
}

Address masked(Address address, unsigned length) {
  for (unsigned byte = 0; byte < address.size(); ++byte) {
    const unsigned bits = std::clamp(static_cast<int>(length) - static_cast<int>(byte) * 8, 0, 8);
    address[byte] &= static_cast<std::uint8_t>(0xff00U >> bits);
  }
  return address;
}

std::optional<unsigned> read_length(std::string_view word, unsigned most) {
  unsigned length = 0;
  const auto [rest, error] = std::from_chars(word.data(), word.data() + word.size(), length);
  if (error != std::errc{} || rest != word.data() + word.size() || length > most) return {};
  return length;
}

std::unexpected<Error> wrong(std::string_view word, const std::string& problem) {
  return fail(ErrorKind::usage, "'" + std::string(word) + "': " + problem);
}

}  // namespace

std::string network_text(const GuardNetwork& network) {
  if (network.any()) return "any";
  const auto text = Endpoint{network.address, 0}.address_text();
  if (network.length == 128) return text;
  return text + "/" + std::to_string(network.length - (is_ipv4(network) ? ipv4_bits_before : 0));
}

bool contains(const GuardNetwork& network, const std::array<std::uint8_t, 16>& address) {
  return masked(address, network.length) == masked(network.address, network.length);
}

Result<GuardNetwork> parse_network(std::string_view word) {
  if (word == "any") return GuardNetwork{};
  GuardNetwork network{mapped, 128};
  const auto slash = word.find('/');
  const auto host = word.substr(0, slash);
  const bool ipv4 = read_ipv4(host, network.address.data() + 12);
  if (!ipv4 && !read_ipv6(host, network.address.data()))
    return wrong(word, "expected an address, a network such as 192.0.2.0/24 or 2001:db8::/32, or any");
  if (slash == std::string_view::npos) return network;

  const unsigned before = ipv4 ? ipv4_bits_before : 0;
  const auto length = read_length(word.substr(slash + 1), 128 - before);
  if (!length) return wrong(word, "expected a prefix length from /0 to /" + std::to_string(128 - before));
  network.length = static_cast<std::uint8_t>(*length + before);
  const auto first = masked(network.address, network.length);
  if (!ipv4 && network.length < ipv4_bits_before && masked(mapped, network.length) == first)
    return wrong(word, "holds all of IPv4 too (::ffff:0:0/96); expected any for both, or 2000::/3 and fc00::/7");
  if (first != network.address) {
    const GuardNetwork whole{first, network.length};
    return wrong(word, "host bits are set; expected " + network_text(whole) + " or " + std::string(host));
  }
  return network;
}

}  // namespace sonde::guard

namespace sonde {

Result<GuardNetwork> parse_guard_network(std::string_view word) { return guard::parse_network(word); }

}  // namespace sonde
