// SPDX-License-Identifier: Apache-2.0
// Where the detectors end: attacks that are too slow, too small or too well spread, and benign traffic that cannot be
// told from an attack by its flows. Measured like the others, and not counted in precision and recall.
#include <netinet/in.h>

#include "scenes.hpp"

namespace sonde::corpus {

namespace {

Attack slow_scan(Traffic& traffic, double pause) {
  auto& random = traffic.random;
  traffic.locals = {host};
  const auto attacker = public_address(random);
  for (std::uint32_t i = 0; i < 60; ++i) {
    const Endpoint from{attacker, 50'000}, to{host, static_cast<std::uint16_t>(1 + i)};
    const double second = 20 + pause * i;
    traffic.add(second, IPPROTO_TCP, from, to, 60, SYN);
    if (random.chance(0.5)) traffic.add(second + 0.001, IPPROTO_TCP, to, from, 60, RST | ACK);
  }
  return {.kind = SecurityKind::port_scan, .who = detect::address_text(attacker), .begins = 20};
}

Attack scan_sneaky(Traffic& traffic) { return slow_scan(traffic, 15); }
Attack scan_paranoid(Traffic& traffic) { return slow_scan(traffic, 300); }

Attack scan_distributed(Traffic& traffic) {
  auto& random = traffic.random;
  traffic.locals = {host};
  for (std::uint32_t i = 0; i < 1000; ++i) {
    const double second = 20 + 0.05 * i;
    const Endpoint from{public_address(random), 50'000}, to{host, static_cast<std::uint16_t>(1 + i)};
    traffic.add(second, IPPROTO_TCP, from, to, 60, SYN);
    traffic.add(second + 0.001, IPPROTO_TCP, to, from, 60, RST | ACK);
  }
  return {.kind = SecurityKind::port_scan, .begins = 20};
}

Attack flood_answered(Traffic& traffic) {
  auto& random = traffic.random;
  traffic.locals = {host};
  for (double second = 30; second < 42; second += random.exponential(1 / 5000.0))
    traffic.exchange(second, {public_address(random), static_cast<std::uint16_t>(random.between(1024, 65535))},
                     {host, 53}, 80, 500, 0.001);
  return {.kind = SecurityKind::udp_flood, .begins = 30};
}

Attack flood_requests(Traffic& traffic) {
  auto& random = traffic.random;
  traffic.locals = {host};
  for (double second = 30; second < 42; second += random.exponential(1 / 1000.0))
    traffic.connection(second, {public_address(random), static_cast<std::uint16_t>(random.between(1024, 65535))},
                       {host, 443}, {.lasts = 0});
  return {.kind = SecurityKind::syn_flood, .begins = 30};
}

Attack beacon_at_random(Traffic& traffic) {
  auto& random = traffic.random;
  traffic.locals = {host};
  const Endpoint server{public_address(random), 443};
  double second = 30;
  for (int i = 0; i < 60; ++i, second += random.between_real(6, 120))
    traffic.connection(second, {host, traffic.ephemeral()}, server);
  return {.kind = SecurityKind::beacon, .begins = 30};
}

Attack slow_tunnel(Traffic& traffic) {
  auto& random = traffic.random;
  traffic.locals = {host};
  for (int i = 0; i < 100; ++i)
    traffic.query(30 + i * 20, {host, traffic.ephemeral()}, {resolver, 53},
                  random_name(random, 60, "abcdefghijklmnopqrstuvwxyz234567") + ".t.example.net", 1);
  return {.kind = SecurityKind::dns_tunnel, .begins = 30};
}

void same_port_peers(Traffic& traffic) {
  auto& random = traffic.random;
  traffic.locals = {host};
  for (double second = 0; second < 120; second += random.exponential(0.5)) {
    const Endpoint peer{public_address(random), 8333}, from{host, traffic.ephemeral()};
    if (random.chance(0.85))
      traffic.unanswered(second, from, peer, 3);
    else
      traffic.connection(second, from, peer, {.lasts = 60});
  }
}

void cloud_agent(Traffic& traffic) {
  traffic.locals = {host};
  traffic.owner = program("/opt/agent/agent", 800);
  const Endpoint server{public_address(traffic.random), 443};
  for (double second = 3; second < 1800; second += 60) traffic.connection(second, {host, traffic.ephemeral()}, server);
}

void dead_cluster(Traffic& traffic) {
  auto& random = traffic.random;
  traffic.locals = {host};
  for (std::uint32_t i = 0; i < 60; ++i)  // each is tried once a minute, and none has answered since we look
    for (int n = 0; n < 3; ++n)
      traffic.refused(n * 60 + i * 0.5 + random.fraction(), {host, traffic.ephemeral()},
                      {ipv4(10, 0, 3, static_cast<std::uint8_t>(i + 1)), 9200}, 0.001);
}

constexpr AttackScene missed[] = {
    {"scan-t1", "nmap -T1: a probe every 15 s", scan_sneaky, false},
    {"scan-t0", "nmap -T0: a probe every 300 s", scan_paranoid, false},
    {"scan-distributed", "1000 sources, a port each", scan_distributed, false},
    {"flood-answered", "5000 queries a second from forged addresses, all of which are answered", flood_answered, false},
    {"flood-requests", "1000 completed connections a second: a flood of requests", flood_requests, false},
    {"beacon-random", "calls every 6 to 120 s at random", beacon_at_random, false},
    {"tunnel-slow", "a name of 60 characters every 20 s", slow_tunnel, false},
};

constexpr BenignScene imagined[] = {
    {"same-port-peers", "peer-to-peer where all peers have one port (Bitcoin), 85 % do not answer", same_port_peers},
    {"cloud-agent", "an agent that calls its cloud every minute, with a new connection each time", cloud_agent},
    {"dead-cluster", "60 servers that never answered, each tried once a minute", dead_cluster},
};

}  // namespace

std::span<const AttackScene> missed_attacks() { return missed; }
std::span<const BenignScene> false_alarms() { return imagined; }

}  // namespace sonde::corpus
