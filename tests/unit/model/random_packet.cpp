// SPDX-License-Identifier: Apache-2.0
#include "random_packet.hpp"

#include <vector>

namespace sonde::test {
namespace {

class Builder {
 public:
  explicit Builder(std::mt19937& random) : random_(random) {}

  std::string frame();

 private:
  std::uint32_t below(std::uint32_t limit) { return random_() % limit; }
  static std::string u8(std::uint32_t value) { return {static_cast<char>(value)}; }
  static std::string u16(std::uint32_t value) { return u8(value >> 8) + u8(value); }
  std::string noise(std::size_t size) {
    std::string bytes;
    while (bytes.size() < size) bytes += u8(random_());
    return bytes;
  }
  std::string port() { return u16(50'000 + below(10'000)); }  // numbers that no dissector claims

  std::string tcp();
  std::string udp();
  std::string transport(std::uint8_t protocol);
  std::uint8_t pick_protocol(bool ipv6);
  std::string ipv4();
  std::string ipv6();
  std::string extension(std::uint8_t type, std::uint8_t next);

  std::mt19937& random_;
};

std::string Builder::tcp() {
  const auto options = 4 * below(11);
  const std::string no_operation(options, '\1');
  return port() + port() + noise(8) + u8((5 + options / 4) << 4) + noise(5) + u16(0) + no_operation + noise(below(50));
}

std::string Builder::udp() {
  const auto payload = noise(below(60));
  return port() + port() + u16(8 + payload.size()) + noise(2) + payload;
}

std::string Builder::transport(std::uint8_t protocol) {
  switch (protocol) {
    case 6: return tcp();
    case 17: return udp();
    case 132: return port() + port() + noise(8) + noise(below(40));
    case 1: return u8(below(2) * 8) + u8(0) + noise(6) + noise(below(40));
    case 58: return u8(128 + below(2)) + u8(0) + noise(6) + noise(below(40));
    default: return noise(20 + below(40));
  }
}

std::uint8_t Builder::pick_protocol(bool ipv6) {
  const std::vector<std::uint8_t> choices = {6, 6, 17, 17, 132, static_cast<std::uint8_t>(ipv6 ? 58 : 1), 253};
  return choices[below(static_cast<std::uint32_t>(choices.size()))];
}

std::string Builder::ipv4() {
  const auto protocol = pick_protocol(false);
  const auto options = std::string(4 * (below(3) == 0 ? below(11) : 0), '\1');
  const auto body = transport(protocol);
  const auto fragment = below(5) == 0 ? below(0x2000) | below(2) << 13 : below(2) << 14;
  return u8(0x45 + options.size() / 4) + noise(1) + u16(20 + options.size() + body.size()) + noise(2) + u16(fragment) +
         u8(1 + below(255)) + u8(protocol) + noise(2) + u8(10) + noise(3) + u8(10) + noise(3) + options + body;
}

std::string Builder::extension(std::uint8_t type, std::uint8_t next) {
  if (type == 44) return u8(next) + u8(0) + u16(below(4) == 0 ? below(0x2000) << 3 | below(2) : 0) + noise(4);
  const auto more = below(3);
  if (type == 43) return u8(next) + u8(more) + u8(253) + u8(0) + noise(4 + 8 * more);
  const auto padding = 4 + 8 * more;  // one PadN option
  return u8(next) + u8(more) + u8(1) + u8(padding) + std::string(padding, '\0');
}

// Hop-by-hop, destination options, routing, fragment: each may be there, in the order of RFC 8200 4.1.
std::string Builder::ipv6() {
  const auto protocol = pick_protocol(true);
  std::string body = transport(protocol);
  std::uint8_t next = protocol;
  for (const std::uint8_t type : {44, 43, 60, 0}) {
    if (below(4) != 0) continue;
    body.insert(0, extension(type, next));
    next = type;
  }
  return u8(0x60) + noise(3) + u16(body.size()) + u8(next) + u8(1 + below(255)) + u16(0x2001) + noise(14) +
         u16(0x2001) + noise(14) + body;
}

std::string Builder::frame() {
  std::string bytes = u8(2) + noise(5) + u8(2) + noise(5);
  for (auto tags = below(4) == 0 ? 1 + below(2) : 0; tags > 0; --tags) bytes += u16(0x8100) + noise(2);
  return below(2) == 0 ? bytes + u16(0x0800) + ipv4() : bytes + u16(0x86dd) + ipv6();
}

}  // namespace

std::string random_packet(std::mt19937& random) { return Builder(random).frame(); }

}  // namespace sonde::test
