// SPDX-License-Identifier: Apache-2.0
// Floods: forged and real sources, one socket or a port for each packet, and reflections.
#include <netinet/in.h>

#include <string>
#include <vector>

#include "scenes.hpp"

namespace sonde::corpus {

namespace {

constexpr double begins = 30;

Address victim_of(Traffic& traffic) {
  traffic.locals = {host};
  return host;
}

Attack found_as(SecurityKind kind, const Address& whom, const std::string& who, double rate) {
  return {.kind = kind,
          .who = who,
          .whom = detect::address_text(whom),
          .begins = begins,
          .what = std::to_string(static_cast<int>(rate)) + " packets/s"};
}

std::uint16_t any_port(Random& random) { return static_cast<std::uint16_t>(random.between(1024, 65535)); }

Attack syn_forged(Traffic& traffic) {
  auto& random = traffic.random;
  const auto victim = victim_of(traffic);
  const double rate = random.between_real(600, 8000);
  const bool answers = random.chance(0.7);  // until its backlog is full
  for (double second = begins; second < begins + 12; second += random.exponential(1 / rate)) {
    const Endpoint from{public_address(random), any_port(random)}, to{victim, 443};
    traffic.add(second, IPPROTO_TCP, from, to, 60, SYN);
    if (!answers) continue;
    traffic.add(second + 0.0001, IPPROTO_TCP, to, from, 60, SYN | ACK);
    if (random.chance(0.1)) traffic.add(second + 0.05, IPPROTO_TCP, from, to, 60, RST);  // somebody has the address
  }
  return found_as(SecurityKind::syn_flood, victim, "", rate);
}

Attack syn_few(Traffic& traffic) {
  auto& random = traffic.random;
  const auto victim = victim_of(traffic);
  const double rate = random.between_real(1000, 8000);
  std::vector<Address> sources;
  const auto count = random.between(1, 6);
  for (std::uint32_t i = 0; i < count; ++i) sources.push_back(public_address(random));
  for (double second = begins; second < begins + 12; second += random.exponential(1 / rate)) {
    const Endpoint from{sources[random.between(0, count - 1)], any_port(random)}, to{victim, 80};
    traffic.add(second, IPPROTO_TCP, from, to, 60, SYN);
    traffic.add(second + 0.0001, IPPROTO_TCP, to, from, 60, SYN | ACK);
    traffic.add(second + 0.02, IPPROTO_TCP, from, to, 60, RST);  // the kernel of the sender knows nothing of it
  }
  return found_as(SecurityKind::syn_flood, victim, detect::address_text(sources[0]), rate);
}

Attack udp_forged(Traffic& traffic) {
  auto& random = traffic.random;
  const auto victim = victim_of(traffic);
  const double rate = random.between_real(3500, 9000);
  const bool one_port = random.chance(0.5);
  for (double second = begins; second < begins + 12; second += random.exponential(1 / rate))
    traffic.datagram(second, {public_address(random), any_port(random)},
                     {victim, one_port ? std::uint16_t{27015} : any_port(random)}, random.between(60, 1400));
  return found_as(SecurityKind::udp_flood, victim, "", rate);
}

Attack udp_few(Traffic& traffic) {
  auto& random = traffic.random;
  const auto victim = victim_of(traffic);
  const double rate = random.between_real(3500, 9000);
  const auto attacker = public_address(random);
  for (double second = begins; second < begins + 12; second += random.exponential(1 / rate))
    traffic.datagram(second, {attacker, any_port(random)}, {victim, 27015}, 100);
  return found_as(SecurityKind::udp_flood, victim, detect::address_text(attacker), rate);
}

Attack udp_socket(Traffic& traffic) {
  auto& random = traffic.random;
  const auto victim = victim_of(traffic);
  const double rate = random.between_real(8000, 200'000);
  const Endpoint from{public_address(random), any_port(random)}, to{victim, 9999};
  for (double second = begins; second < begins + 15; second += 0.05) {
    traffic.datagram(second, from, to, 1000, static_cast<std::uint32_t>(rate * 0.05));
    if (random.chance(0.05)) traffic.unreachable(second, IPPROTO_UDP, from, to, victim);
  }
  return found_as(SecurityKind::udp_flood, victim, from.address_text(), rate);
}

Attack icmp(Traffic& traffic, bool forged) {
  auto& random = traffic.random;
  const auto victim = victim_of(traffic);
  const double rate = random.between_real(1500, 9000);
  const auto attacker = public_address(random);
  for (double second = begins; second < begins + 12; second += random.exponential(1 / rate)) {
    const Endpoint from{forged ? public_address(random) : attacker, 0}, to{victim, 0};
    traffic.add(second, IPPROTO_ICMP, from, to, 98);
    if (random.chance(0.5)) traffic.add(second + 0.0001, IPPROTO_ICMP, to, from, 98).echo_reply = true;
  }
  return found_as(SecurityKind::icmp_flood, victim, forged ? "" : detect::address_text(attacker), rate);
}

Attack icmp_forged(Traffic& traffic) { return icmp(traffic, true); }
Attack icmp_one(Traffic& traffic) { return icmp(traffic, false); }

Attack reflection(Traffic& traffic, std::uint16_t port, std::uint32_t bytes, double fragments) {
  auto& random = traffic.random;
  const auto victim = victim_of(traffic);
  const double rate = random.between_real(600, 8000);
  std::vector<Address> servers;
  const auto count = random.between(30, 3000);
  for (std::uint32_t i = 0; i < count; ++i) servers.push_back(public_address(random));
  const bool one_port = random.chance(0.5);
  const auto victim_port = any_port(random);
  for (double second = begins; second < begins + 12; second += random.exponential(1 / rate)) {
    const auto& server = servers[random.between(0, count - 1)];
    const Endpoint to{victim, one_port ? victim_port : any_port(random)};
    traffic.datagram(second, {server, port}, to, bytes);
    if (random.chance(fragments))
      traffic.add(second, IPPROTO_UDP, {server, 0}, {victim, 0}, bytes, 0, 2).later_fragment = true;
  }
  auto attack = found_as(SecurityKind::reflection, victim, "", rate);
  attack.what += " from port " + std::to_string(port);
  return attack;
}

Attack reflection_dns(Traffic& traffic) { return reflection(traffic, 53, 1500, 0.7); }
Attack reflection_ntp(Traffic& traffic) { return reflection(traffic, 123, 482, 0); }
Attack reflection_other(Traffic& traffic) {
  static constexpr std::uint16_t ports[] = {19, 111, 389, 1900, 3702, 11211};
  const auto port = ports[traffic.random.between(0, 5)];
  return reflection(traffic, port, traffic.random.between(250, 1400), port == 389 ? 0.5 : 0);
}

constexpr AttackScene scenes[] = {
    {"syn-forged", "600 to 8000 SYN/s from forged addresses; the victim answers, or is full", syn_forged},
    {"syn-few", "1000 to 8000 SYN/s from 1 to 6 real addresses", syn_few},
    {"udp-forged", "3500 to 9000 datagrams/s from forged addresses, to one port or any", udp_forged},
    {"udp-few", "likewise from one address, a source port each", udp_few},
    {"udp-socket", "8000 to 200,000 datagrams/s of one socket", udp_socket},
    {"icmp-forged", "1500 to 9000 echo requests/s from forged addresses", icmp_forged},
    {"icmp-one", "likewise from one address", icmp_one},
    {"reflection-dns", "600 to 8000 answers/s of 30 to 3000 DNS servers, with fragments", reflection_dns},
    {"reflection-ntp", "likewise of NTP servers (monlist)", reflection_ntp},
    {"reflection-other", "likewise chargen, portmap, CLDAP, SSDP, WS-Discovery, memcached", reflection_other},
};

}  // namespace

std::span<const AttackScene> flood_attacks() { return scenes; }

}  // namespace sonde::corpus
