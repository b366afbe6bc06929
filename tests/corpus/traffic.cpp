// SPDX-License-Identifier: Apache-2.0
#include "traffic.hpp"

#include <netinet/in.h>

#include <algorithm>

namespace sonde::corpus {

namespace {

constexpr std::uint32_t segment = 1448, headers = 66;

}  // namespace

Address ipv4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d) {
  return {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d};
}

Address ipv4(std::uint32_t address) {
  return ipv4(static_cast<std::uint8_t>(address >> 24), static_cast<std::uint8_t>(address >> 16),
              static_cast<std::uint8_t>(address >> 8), static_cast<std::uint8_t>(address));
}

Packet& Traffic::add(double second, std::uint8_t protocol, const Endpoint& source, const Endpoint& destination,
                     std::uint32_t bytes, std::uint8_t flags, std::uint32_t count) {
  auto& packet = packets.emplace_back();
  packet.wall_ns = at(second);
  packet.protocol = protocol;
  packet.source = source;
  packet.destination = destination;
  packet.bytes = bytes;
  packet.flags = flags;
  packet.count = count;
  if (owner) {
    if (owners.empty() || owners.back() != owner) owners.push_back(owner);
    packet.owner = static_cast<std::int32_t>(owners.size() - 1);
  }
  return packet;
}

std::uint16_t Traffic::ephemeral() {
  if (next_port_ == 0) next_port_ = random.between(0, 28000);
  next_port_ = (next_port_ + random.between(1, 3)) % 28232 + 1;
  return static_cast<std::uint16_t>(32768 + next_port_ - 1);
}

void Traffic::connection(double second, const Endpoint& client, const Endpoint& server, const Tcp& how) {
  const double half = how.rtt / 2;
  add(second, IPPROTO_TCP, client, server, 74, SYN);
  add(second + half, IPPROTO_TCP, server, client, 74, SYN | ACK);
  add(second + how.rtt, IPPROTO_TCP, client, server, 66, ACK);
  // Data in slices of a tenth of a second at most, so that a long transfer is spread over its time.
  const auto slices = static_cast<std::uint32_t>(std::clamp(how.lasts * 5, 1.0, 4000.0));
  const auto up = (how.up + segment - 1) / segment, down = (how.down + segment - 1) / segment;
  for (std::uint32_t i = 0; i < slices; ++i) {
    const double when = second + how.rtt + how.lasts * i / slices;
    const auto of = [&](std::uint32_t all) { return all * (i + 1) / slices - all * i / slices; };
    const auto bytes_of = [&](std::uint32_t all, std::uint32_t parts) { return headers + all / std::max(1U, parts); };
    const auto sent = of(up), received = of(down);
    if (sent > 0) {
      add(when, IPPROTO_TCP, client, server, bytes_of(how.up, up), PSH | ACK, sent);
      add(when + half, IPPROTO_TCP, server, client, 66, ACK, (sent + 1) / 2);
    }
    if (received > 0) {
      add(when + how.rtt, IPPROTO_TCP, server, client, bytes_of(how.down, down), PSH | ACK, received);
      add(when + how.rtt + half, IPPROTO_TCP, client, server, 66, ACK, (received + 1) / 2);
    }
  }
  const double end = second + 3 * how.rtt + how.lasts;
  if (how.half_close) {
    add(end, IPPROTO_TCP, client, server, 66, RST | ACK);
    return;
  }
  add(end, IPPROTO_TCP, client, server, 66, FIN | ACK);
  add(end + half, IPPROTO_TCP, server, client, 66, FIN | ACK);
  add(end + how.rtt, IPPROTO_TCP, client, server, 66, ACK);
}

void Traffic::refused(double second, const Endpoint& client, const Endpoint& server, double rtt) {
  add(second, IPPROTO_TCP, client, server, 74, SYN);
  add(second + rtt, IPPROTO_TCP, server, client, 60, RST | ACK);
}

void Traffic::unanswered(double second, const Endpoint& client, const Endpoint& server, int tries) {
  for (int i = 0; i < tries; ++i) add(second + (1 << i) - 1, IPPROTO_TCP, client, server, 74, SYN);
}

void Traffic::exchange(double second, const Endpoint& client, const Endpoint& server, std::uint32_t up,
                       std::uint32_t down, double rtt) {
  add(second, IPPROTO_UDP, client, server, up);
  add(second + rtt, IPPROTO_UDP, server, client, down);
}

void Traffic::datagram(double second, const Endpoint& source, const Endpoint& destination, std::uint32_t bytes,
                       std::uint32_t count) {
  add(second, IPPROTO_UDP, source, destination, bytes, 0, count);
}

void Traffic::unreachable(double second, std::uint8_t protocol, const Endpoint& source, const Endpoint& destination,
                          const Address& reporter) {
  auto& packet = add(second, IPPROTO_ICMP, source, destination, 70);
  packet.quotes = true;
  packet.quoted_protocol = protocol;
  packet.reporter = reporter;
}

void Traffic::query(double second, const Endpoint& client, const Endpoint& server, const std::string& name,
                    std::uint16_t type, std::uint32_t answer_bytes, double rtt, bool answered,
                    std::uint8_t response_code) {
  const auto size = static_cast<std::uint32_t>(60 + name.size());
  add(second, IPPROTO_UDP, client, server, size).extra = static_cast<std::int32_t>(dns.size());
  dns.push_back({name, type, false, 0});
  if (!answered) return;
  add(second + rtt, IPPROTO_UDP, server, client, size + answer_bytes).extra = static_cast<std::int32_t>(dns.size());
  dns.push_back({name, type, true, response_code});
}

void Traffic::arp(double second, const Arp& what) {
  add(second, 0, {what.sender, 0}, {what.target, 0}, 60).extra = static_cast<std::int32_t>(arps.size());
  arps.push_back(what);
}

void Traffic::sort() { std::ranges::stable_sort(packets, {}, &Packet::wall_ns); }

void Traffic::merge(Traffic&& other) {
  const auto dns_base = static_cast<std::int32_t>(dns.size()), arp_base = static_cast<std::int32_t>(arps.size());
  const auto owner_base = static_cast<std::int32_t>(owners.size());
  packets.reserve(packets.size() + other.packets.size());
  for (auto& packet : other.packets) {
    if (packet.owner >= 0) packet.owner += owner_base;
    if (packet.extra >= 0) packet.extra += packet.protocol == 0 ? arp_base : dns_base;
    packets.push_back(packet);
  }
  dns.insert(dns.end(), other.dns.begin(), other.dns.end());
  arps.insert(arps.end(), other.arps.begin(), other.arps.end());
  locals.insert(locals.end(), other.locals.begin(), other.locals.end());
  countries.merge(other.countries);
  owners.insert(owners.end(), other.owners.begin(), other.owners.end());
}

}  // namespace sonde::corpus
