// SPDX-License-Identifier: Apache-2.0
#include "guard_samples.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "sonde/endpoint.hpp"

namespace sonde::test {
namespace {

constexpr std::int64_t hour_ns = 3'600'000'000'000;

GuardNetwork cut(std::array<std::uint8_t, 16> address, unsigned length) {
  for (unsigned bit = length; bit < 128; ++bit) address[bit / 8] &= static_cast<std::uint8_t>(~(0x80U >> bit % 8));
  return {address, static_cast<std::uint8_t>(length)};
}

}  // namespace

int GuardSamples::number(int below) { return static_cast<int>(random_() % static_cast<std::uint64_t>(below)); }

// Few values in each byte, edges among them, so that networks nest and packets hit them.
std::array<std::uint8_t, 16> GuardSamples::address(bool ipv6) {
  constexpr std::array<std::uint8_t, 6> values{0, 1, 10, 127, 128, 255};
  std::array<std::uint8_t, 16> out{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  const auto byte = [&] { return values[static_cast<std::size_t>(number(chance(80) ? 3 : 6))]; };
  if (ipv6) {
    if (chance(5)) return {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    std::ranges::fill(out, std::uint8_t{0});
    out[0] = chance(90) ? 0x20 : byte();
    for (const std::size_t at : {1U, 7U, 8U, 15U}) out[at] = byte();
    if (chance(5)) std::ranges::fill(out, std::uint8_t{0xff});
    return out;
  }
  for (std::size_t at = 12; at < 16; ++at) out[at] = byte();
  if (chance(3)) std::fill(out.begin() + 12, out.end(), std::uint8_t{0xff});
  return out;
}

GuardNetwork GuardSamples::network() {
  if (chance(15)) return {};
  const bool ipv6 = chance(40);
  constexpr std::array<unsigned, 9> ipv4_lengths{0, 1, 8, 15, 16, 17, 24, 31, 32};
  constexpr std::array<unsigned, 10> ipv6_lengths{1, 8, 16, 32, 63, 64, 65, 72, 127, 128};
  const auto length = ipv6 ? ipv6_lengths[static_cast<std::size_t>(number(10))]
                           : 96 + ipv4_lengths[static_cast<std::size_t>(number(9))];
  return cut(address(ipv6), length);
}

std::uint16_t GuardSamples::port() {
  constexpr std::array<std::uint16_t, 12> values{0, 22, 53, 67, 68, 80, 443, 546, 547, 1024, 40'000, 65'535};
  return values[static_cast<std::size_t>(number(12))];
}

GuardPorts GuardSamples::ports() {
  const auto a = port();
  const auto b = chance(50) ? a : port();
  return {std::min(a, b), std::max(a, b)};
}

std::uint8_t GuardSamples::protocol() {
  constexpr std::array<std::uint8_t, 10> values{6, 6, 17, 17, 1, 58, 132, 33, 136, 47};
  return values[static_cast<std::size_t>(number(10))];
}

GuardRule GuardSamples::rule(bool limits, std::int64_t now_wall_ns) {
  constexpr std::array<GuardVerdict, 7> verdicts{
      GuardVerdict::never_block, GuardVerdict::allow,        GuardVerdict::block, GuardVerdict::block,
      GuardVerdict::block,       GuardVerdict::default_drop, GuardVerdict::limit};
  GuardRule rule;
  rule.verdict = verdicts[static_cast<std::size_t>(number(limits ? 7 : 6))];
  rule.network = network();
  if (chance(30)) rule.protocol = protocol();
  if (chance(15)) rule.source_ports = ports();
  if (chance(25)) rule.destination_ports = ports();
  rule.direction = std::array{GuardDirection::in, GuardDirection::in, GuardDirection::out,
                              GuardDirection::both}[static_cast<std::size_t>(number(4))];
  rule.dry_run = chance(15);
  if (chance(15)) rule.expires_wall_ns = now_wall_ns + (chance(50) ? hour_ns : -1);
  if (rule.verdict == GuardVerdict::limit) {
    rule.rate = 1;
    rule.burst = static_cast<std::uint64_t>(1 + number(3));
  }
  return rule;
}

std::vector<GuardRule> GuardSamples::rules(std::size_t most, bool limits, std::int64_t now_wall_ns) {
  std::vector<GuardRule> rules(static_cast<std::size_t>(number(static_cast<int>(most) + 1)));
  for (std::size_t i = 0; i < rules.size(); ++i) {
    rules[i] = rule(limits, now_wall_ns);
    rules[i].id = i + 1;
  }
  return rules;
}

Bytes GuardSamples::transport(std::uint8_t protocol) {
  const auto from = port();
  const auto to = port();
  switch (protocol) {
    case 6: return tcp({.source_port = from, .destination_port = to, .flags = static_cast<std::uint8_t>(number(64))});
    case 17: return udp({.source_port = from, .destination_port = to}, counting(8));
    case 1: return icmp(static_cast<std::uint8_t>(number(20)), 0, counting(28));
    case 58: return icmp(static_cast<std::uint8_t>(chance(50) ? 125 + number(25) : number(6)), 0, counting(60));
    case 132: return sctp(from, to);
    default: {
      auto bytes = counting(12);
      bytes[0] = static_cast<std::uint8_t>(from >> 8), bytes[1] = static_cast<std::uint8_t>(from);
      bytes[2] = static_cast<std::uint8_t>(to >> 8), bytes[3] = static_cast<std::uint8_t>(to);
      return bytes;
    }
  }
}

Bytes GuardSamples::ipv4_packet() {
  Ipv4 header;
  header.protocol = protocol();
  const auto source = address(false);
  const auto destination = address(false);
  std::copy_n(&source[12], 4, header.source.begin());
  std::copy_n(&destination[12], 4, header.destination.begin());
  if (chance(10)) header.options = Bytes(static_cast<std::size_t>(4 * (1 + number(10))), 1);
  if (chance(15)) {
    constexpr std::array<std::uint16_t, 4> fragments{0x2000, 0x2001, 0x0001, 0x1fff};
    header.fragment = fragments[static_cast<std::size_t>(number(4))];
  }
  if (chance(3)) header.first_byte = static_cast<std::uint8_t>(number(256));
  if (chance(5)) header.total_length = static_cast<std::uint16_t>(number(64));
  auto payload = transport(header.protocol);
  if (chance(5)) payload.resize(static_cast<std::size_t>(number(5)));
  return ipv4(header, payload);
}

Bytes GuardSamples::ipv6_packet() {
  Ipv6 header;
  header.source = address(true);
  header.destination = address(true);
  auto next = protocol();
  auto payload = transport(next);
  if (chance(5)) payload.resize(static_cast<std::size_t>(number(5)));
  const int extensions = chance(70) ? 0 : chance(5) ? 185 + number(12) : 1 + number(9);
  constexpr std::array<std::uint8_t, 7> types{0, 43, 60, 51, 135, 139, 140};
  for (int i = 0; i < extensions; ++i) {
    if (chance(15)) {
      constexpr std::array<std::uint16_t, 4> fragments{0, 1, 8, 9};
      payload = fragment_extension(next, fragments[static_cast<std::size_t>(number(4))], payload);
      next = 44;
    } else {
      const auto type = types[static_cast<std::size_t>(number(7))];
      payload = extension(type, next, static_cast<std::size_t>(extensions > 20 ? 8 : 8 * (1 + number(4))), payload);
      next = type;
    }
  }
  header.next = next;
  if (chance(3)) header.first_byte = static_cast<std::uint8_t>(number(256));
  if (chance(5)) header.payload_length = static_cast<std::uint16_t>(number(64));
  return ipv6(header, payload);
}

Bytes GuardSamples::packet() {
  const bool is_ipv6 = chance(45);
  Ethernet header;
  header.type = is_ipv6 ? ether_ipv6 : ether_ipv4;
  if (chance(15)) header.tags = {{.tpid = static_cast<std::uint16_t>(chance(50) ? 0x8100 : 0x88a8), .tci = 5}};
  if (!header.tags.empty() && chance(40)) header.tags.push_back({});
  if (header.tags.size() == 2 && chance(20)) header.tags.push_back({});
  if (chance(3)) header.type = ether_arp;
  if (chance(20)) header.padded_to = 64;
  auto frame = ethernet(header, is_ipv6 ? ipv6_packet() : ipv4_packet());
  if (chance(12)) frame.resize(static_cast<std::size_t>(14 + number(static_cast<int>(frame.size()) - 13)));
  return frame;
}

std::string describe(const GuardRule& rule) {
  return fmt::format(
      "id {} verdict {} {}/{} protocol {} sport {}-{} dport {}-{} direction {} dry-run {} expires {} rate {}", rule.id,
      static_cast<int>(rule.verdict), Endpoint{rule.network.address, 0}.address_text(), rule.network.length,
      rule.protocol ? int{*rule.protocol} : -1, rule.source_ports.first, rule.source_ports.last,
      rule.destination_ports.first, rule.destination_ports.last, static_cast<int>(rule.direction), rule.dry_run,
      rule.expires_wall_ns, rule.rate);
}

std::string hex(const Bytes& bytes) { return fmt::format("{:02x}", fmt::join(bytes, "")); }

}  // namespace sonde::test
