// SPDX-License-Identifier: Apache-2.0
#include "filter_packets.hpp"

#include <arpa/inet.h>

#include <string>

namespace sonde::test {
namespace {

constexpr std::size_t smallest_packet = 15;

void put8(Bytes& packet, std::uint64_t value) { packet.push_back(static_cast<std::uint8_t>(value)); }

void put16(Bytes& packet, std::uint64_t value) {
  put8(packet, value >> 8);
  put8(packet, value);
}

void put32(Bytes& packet, std::uint64_t value) {
  put16(packet, value >> 16);
  put16(packet, value);
}

void put_random(Bytes& packet, Random& random, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) put8(packet, random());
}

void put_address(Bytes& packet, int family, std::string_view text) {
  std::array<std::uint8_t, 16> address = {};
  inet_pton(family, std::string(text).c_str(), address.data());
  packet.insert(packet.end(), address.begin(), address.begin() + (family == AF_INET ? 4 : 16));
}

std::uint16_t random_port(Random& random) {
  return one_in(random, 4) ? static_cast<std::uint16_t>(random()) : pick(random, known_ports);
}

void put_tcp(Bytes& packet, Random& random) {
  put16(packet, random_port(random));
  put16(packet, random_port(random));
  put32(packet, random());
  put32(packet, random());
  const std::uint64_t words = one_in(random, 3) ? 5 + below(random, 11) : 5;
  put8(packet, words << 4);
  put8(packet, one_in(random, 2) ? 1U << below(random, 8) : random());
  put_random(packet, random, 6 + (words - 5) * 4);
}

void put_udp(Bytes& packet, Random& random) {
  put16(packet, random_port(random));
  put16(packet, random_port(random));
  put16(packet, 8 + below(random, 100));
  put16(packet, random());
}

void put_sctp(Bytes& packet, Random& random) {
  put16(packet, random_port(random));
  put16(packet, random_port(random));
  put_random(packet, random, 8);
}

void put_icmp(Bytes& packet, Random& random) {
  put8(packet, below(random, 20));
  put8(packet, below(random, 4));
  put_random(packet, random, 6);
}

void put_icmp6(Bytes& packet, Random& random) {
  put8(packet, 128 + below(random, 10));
  put8(packet, below(random, 4));
  put_random(packet, random, 6);
}

void put_garbage(Bytes& packet, Random& random) { put_random(packet, random, below(random, 40)); }

struct Transport {
  std::uint8_t protocol;
  void (*put)(Bytes&, Random&);
};
constexpr std::array<Transport, 7> transports = {
    {{6, put_tcp}, {6, put_tcp}, {17, put_udp}, {1, put_icmp}, {58, put_icmp6}, {132, put_sctp}, {47, put_garbage}}};

std::uint64_t random_fragment(Random& random) {
  if (!one_in(random, 5)) return 0x4000;                    // do not fragment
  return one_in(random, 2) ? 0x2000 : below(random, 8192);  // first fragment; any
}

// RFC 4302: the length counts words of four bytes less two; other extension headers count eight bytes less one.
std::uint64_t put_ipv4_authentication(Bytes& packet, Random& random, std::uint8_t next) {
  put8(packet, next);
  put8(packet, 1);
  put_random(packet, random, 10);
  return 51;
}

void put_ipv4(Bytes& packet, Random& random) {
  const Transport& transport = pick(random, transports);
  const std::uint64_t words = one_in(random, 4) ? 5 + below(random, 11) : 5;
  const bool authenticated = one_in(random, 12);
  put8(packet, 0x40 | words);
  put8(packet, random());
  put16(packet, words * 4 + below(random, 200));
  put16(packet, random());
  put16(packet, random_fragment(random));
  put8(packet, random());
  put8(packet, authenticated ? 51 : transport.protocol);
  put16(packet, random());
  put_address(packet, AF_INET, pick(random, known_ipv4));
  put_address(packet, AF_INET, pick(random, known_ipv4));
  put_random(packet, random, (words - 5) * 4);
  if (authenticated) put_ipv4_authentication(packet, random, transport.protocol);
  transport.put(packet, random);
}

void put_extension(Bytes& packet, Random& random, std::uint8_t kind, std::uint8_t next) {
  const std::uint64_t units = kind == 44 ? 0 : below(random, 3);
  put8(packet, next);
  put8(packet, units);
  const std::size_t size = kind == 51 ? (units + 2) * 4 : (units + 1) * 8;
  put_random(packet, random, size - 2);
}

std::uint64_t chain_length(Random& random) {
  if (one_in(random, 2)) return below(random, 5);
  return one_in(random, 20) ? below(random, 21) : 0;
}

void put_ipv6(Bytes& packet, Random& random) {
  constexpr std::array<std::uint8_t, 6> kinds = {0, 43, 44, 60, 60, 51};  // hop-by-hop, routing, fragment, options, AH
  const Transport& transport = pick(random, transports);
  std::vector<std::uint8_t> chain;
  const std::uint64_t length = chain_length(random);
  chain.reserve(length + 1);
  for (std::uint64_t i = 0; i < length; ++i) chain.push_back(pick(random, kinds));
  chain.push_back(transport.protocol);
  put32(packet, 0x60000000U | below(random, 1U << 28));
  put16(packet, below(random, 300));
  put8(packet, chain.front());
  put8(packet, random());
  put_address(packet, AF_INET6, pick(random, known_ipv6));
  put_address(packet, AF_INET6, pick(random, known_ipv6));
  for (std::size_t i = 0; i + 1 < chain.size(); ++i) put_extension(packet, random, chain[i], chain[i + 1]);
  transport.put(packet, random);
}

void put_arp(Bytes& packet, Random& random) {
  put32(packet, 0x00010800);
  put32(packet, 0x06040000 | (1 + below(random, 2)));
  put_random(packet, random, 6);
  put_address(packet, AF_INET, pick(random, known_ipv4));
  put_random(packet, random, 6);
  put_address(packet, AF_INET, pick(random, known_ipv4));
}

void put_mpls(Bytes& packet, Random& random) {
  put32(packet, (100U << 12) | 64);
  put32(packet, (below(random, 200) << 12) | 0x100 | 64);  // bottom of stack
  put_ipv4(packet, random);
}

void put_pppoe(Bytes& packet, Random& random) {
  put16(packet, 0x1100);
  put16(packet, below(random, 3));
  put16(packet, 60);
  put16(packet, 0x0021);  // PPP: IPv4
  put_ipv4(packet, random);
}

struct Network {
  std::uint16_t ether_type;
  void (*put)(Bytes&, Random&);
};
constexpr std::array<Network, 10> networks = {{{0x0800, put_ipv4},
                                               {0x0800, put_ipv4},
                                               {0x0800, put_ipv4},
                                               {0x86dd, put_ipv6},
                                               {0x86dd, put_ipv6},
                                               {0x86dd, put_ipv6},
                                               {0x0806, put_arp},
                                               {0x8847, put_mpls},
                                               {0x8864, put_pppoe},
                                               {0x0040, put_garbage}}};

void put_hardware_address(Bytes& packet, Random& random) {
  const auto last = static_cast<std::uint8_t>(below(random, 4));
  if (one_in(random, 8)) return put_random(packet, random, 6);
  const std::array<std::uint8_t, 6> local = {2, 0, 0, 0, 0, last};
  for (const std::uint8_t byte : local) put8(packet, last == 3 ? 0xff : byte);
}

void damage(Bytes& packet, Random& random) {
  if (one_in(random, 4)) packet.resize(1 + below(random, packet.size()));
  if (one_in(random, 6)) packet[below(random, packet.size())] = static_cast<std::uint8_t>(random());
  if (packet.size() < smallest_packet) packet.resize(smallest_packet);
}

}  // namespace

std::uint64_t below(Random& random, std::uint64_t limit) { return random() % limit; }

Bytes random_packet(Random& random) {
  constexpr std::array<std::uint16_t, 4> tags = {0x8100, 0x8100, 0x88a8, 0x9100};
  Bytes packet;
  put_hardware_address(packet, random);
  put_hardware_address(packet, random);
  for (std::uint64_t tag = one_in(random, 2) ? below(random, 4) : 0; tag > 0; --tag) {
    put16(packet, pick(random, tags));
    put16(packet, one_in(random, 2) ? 100 + below(random, 3) : random());
  }
  const Network& network = pick(random, networks);
  put16(packet, network.ether_type);
  network.put(packet, random);
  put_random(packet, random, one_in(random, 20) ? below(random, 1400) : below(random, 50));
  damage(packet, random);
  return packet;
}

}  // namespace sonde::test
