// SPDX-License-Identifier: Apache-2.0
// Scans as nmap makes them: its order (random), its source ports (one, and one more for a repeated probe), its timing.
#include <netinet/in.h>

#include <algorithm>
#include <vector>

#include "scenes.hpp"

namespace sonde::corpus {

namespace {

struct Scan {
  const char* method;
  std::uint8_t protocol = IPPROTO_TCP;
  std::uint8_t flags = SYN;
  bool connects = false;
};

constexpr Scan syn_scan{"SYN"}, connect_scan{.method = "connect", .connects = true}, fin_scan{"FIN", IPPROTO_TCP, FIN},
    null_scan{"NULL", IPPROTO_TCP, 0}, xmas_scan{"Xmas", IPPROTO_TCP, FIN | PSH | URG},
    ack_scan{"ACK", IPPROTO_TCP, ACK}, maimon_scan{"Maimon", IPPROTO_TCP, FIN | ACK}, udp_scan{"UDP", IPPROTO_UDP, 0},
    sctp_scan{"SCTP", IPPROTO_SCTP, 0};

/// How the target treats its ports.
struct Target {
  double open;      ///< share of ports
  double filtered;  ///< of the others: no answer, else refused
};

/// Seconds between probes at timing templates 2 to 5. T2 waits 0.4 s by definition; the others are what nmap 7.93 does
/// on a local network, from fast (all refused) to slow (all silent).
double pause_of(Random& random, std::uint32_t timing) {
  if (timing == 2) return 0.4;
  const double least[] = {0.0003, 0.0001, 0.00005}, most[] = {0.03, 0.012, 0.006};
  return random.between_real(least[timing - 3], most[timing - 3]);
}

/// One probe and what comes back. Gives whether nmap would repeat it.
bool probe(Traffic& traffic, double second, const Scan& scan, const Endpoint& from, const Endpoint& to, bool open,
           bool filtered) {
  const double rtt = 0.001;
  const std::uint32_t size = scan.protocol == IPPROTO_TCP && scan.connects ? 74 : 58;
  traffic.add(second, scan.protocol, from, to, std::max(60U, size), scan.flags);
  if (scan.protocol == IPPROTO_UDP) {
    if (open && traffic.random.chance(0.3))
      traffic.add(second + rtt, IPPROTO_UDP, to, from, 120);
    else if (!open && !filtered)
      traffic.unreachable(second + rtt, IPPROTO_UDP, from, to, to.address);
    return open || filtered;
  }
  if (scan.protocol == IPPROTO_SCTP) {
    if (!filtered) traffic.add(second + rtt, IPPROTO_SCTP, to, from, 62);
    return filtered;
  }
  const bool knows_connections = scan.flags == ACK || scan.flags == (FIN | ACK);
  if (filtered && !open) return true;
  if (scan.flags != SYN) {
    if (open && !knows_connections) return true;  // RFC 9293: an open port says nothing to FIN, NULL, Xmas
    traffic.add(second + rtt, IPPROTO_TCP, to, from, 60, knows_connections ? RST : RST | ACK);
    return false;
  }
  if (!open) {
    traffic.add(second + rtt, IPPROTO_TCP, to, from, 60, RST | ACK);
    return false;
  }
  traffic.add(second + rtt, IPPROTO_TCP, to, from, 60, SYN | ACK);
  if (scan.connects) {
    traffic.add(second + 2 * rtt, IPPROTO_TCP, from, to, 66, ACK);
    traffic.add(second + 3 * rtt, IPPROTO_TCP, from, to, 66, RST | ACK);
  } else {
    traffic.add(second + 2 * rtt, IPPROTO_TCP, from, to, 60, RST);
  }
  return false;
}

std::vector<std::uint16_t> some_ports(Random& random, std::uint32_t count) {
  std::vector<std::uint16_t> ports;
  const auto first = random.between(1, 2000);
  for (std::uint32_t i = 0; i < count; ++i) {
    // As nmap's list of the most common ports: mostly low, some anywhere.
    ports.push_back(static_cast<std::uint16_t>(random.chance(0.7) ? first + i : random.between(1, 65535)));
  }
  std::ranges::sort(ports);
  ports.erase(std::ranges::unique(ports).begin(), ports.end());
  for (std::size_t i = ports.size(); i > 1; --i)
    std::swap(ports[i - 1], ports[random.between(0, static_cast<std::uint32_t>(i - 1))]);
  return ports;
}

/// All ports of all targets from all sources (decoys).
void run(Traffic& traffic, double begins, const Scan& scan, const std::vector<Address>& sources,
         const std::vector<Address>& targets, const std::vector<std::uint16_t>& ports, const Target& target,
         double pause, std::uint16_t source_port = 45'678) {
  auto& random = traffic.random;
  double second = begins;
  for (const auto port : ports) {
    const bool open = random.chance(target.open), filtered = random.chance(target.filtered);
    for (const auto& to : targets) {
      bool again = false;
      for (const auto& source : sources) {
        const auto from = scan.connects ? traffic.ephemeral() : source_port;
        again |= probe(traffic, second, scan, {source, from}, {to, port}, open, filtered);
      }
      if (again && random.chance(0.6))
        for (const auto& source : sources) {
          const auto from = scan.connects ? traffic.ephemeral() : static_cast<std::uint16_t>(source_port + 1);
          probe(traffic, second + std::max(1.0, pause), scan, {source, from}, {to, port}, open, filtered);
        }
      second += pause * random.between_real(0.8, 1.2);
    }
  }
}

Attack port_scan(Traffic& traffic, const Scan& scan) {
  auto& random = traffic.random;
  traffic.locals = {host};
  const bool outbound = random.chance(0.3);
  const auto attacker = outbound ? host : public_address(random), victim = outbound ? public_address(random) : host;
  if (outbound) traffic.owner = program("/usr/bin/nmap", 6666);
  const auto timing = random.between(2, 5);
  // UDP against Linux: one ICMP error a second, to which nmap adapts.
  const double pause =
      scan.protocol == IPPROTO_UDP && random.chance(0.5) ? random.between_real(0.8, 1.1) : pause_of(random, timing);
  const Target target{.open = random.between_real(0, 0.1),
                      .filtered = random.chance(0.4) ? 1 : random.between_real(0, 0.5)};
  const auto ports = some_ports(random, random.between(40, 1000));
  run(traffic, 20, scan, {attacker}, {victim}, ports, target, pause,
      static_cast<std::uint16_t>(random.between(33'000, 63'000)));
  traffic.owner = nullptr;
  return {.kind = SecurityKind::port_scan,
          .who = detect::address_text(attacker),
          .whom = detect::address_text(victim),
          .begins = 20,
          .method = scan.method,
          .what = std::to_string(ports.size()) + " ports at T" + std::to_string(timing)};
}

Attack scan_syn(Traffic& traffic) { return port_scan(traffic, syn_scan); }
Attack scan_connect(Traffic& traffic) { return port_scan(traffic, connect_scan); }
Attack scan_fin(Traffic& traffic) { return port_scan(traffic, fin_scan); }
Attack scan_null(Traffic& traffic) { return port_scan(traffic, null_scan); }
Attack scan_xmas(Traffic& traffic) { return port_scan(traffic, xmas_scan); }
Attack scan_ack(Traffic& traffic) { return port_scan(traffic, ack_scan); }
Attack scan_maimon(Traffic& traffic) { return port_scan(traffic, maimon_scan); }
Attack scan_udp(Traffic& traffic) { return port_scan(traffic, udp_scan); }
Attack scan_sctp(Traffic& traffic) { return port_scan(traffic, sctp_scan); }

Attack scan_protocols(Traffic& traffic) {
  auto& random = traffic.random;
  traffic.locals = {host};
  const auto attacker = public_address(random);
  double second = 20;
  for (std::uint32_t protocol = 1; protocol < 256; ++protocol, second += 0.05) {
    const auto number = static_cast<std::uint8_t>(protocol);
    traffic.add(second, number, {attacker, 0}, {host, 0}, 60);
    if (random.chance(0.5)) traffic.unreachable(second + 0.001, number, {attacker, 0}, {host, 0}, host);
  }
  return {
      .kind = SecurityKind::port_scan, .who = detect::address_text(attacker), .begins = 20, .method = "IP protocol"};
}

Attack scan_fragments(Traffic& traffic) {
  auto& random = traffic.random;
  traffic.locals = {host};
  const auto attacker = public_address(random);
  const auto source_port = static_cast<std::uint16_t>(random.between(33'000, 63'000));
  double second = 20;
  const auto pause = pause_of(random, random.between(2, 5));
  for (const auto port : some_ports(random, random.between(100, 500))) {
    // Eight bytes of the header: the ports are seen, the flags are not.
    traffic.add(second, IPPROTO_TCP, {attacker, source_port}, {host, port}, 60);
    traffic.add(second, IPPROTO_TCP, {attacker, 0}, {host, 0}, 60, 0, 2).later_fragment = true;
    traffic.add(second + 0.001, IPPROTO_TCP, {host, port}, {attacker, source_port}, 60,
                random.chance(0.05) ? SYN | ACK : RST | ACK);
    second += pause;
  }
  return {.kind = SecurityKind::port_scan, .who = detect::address_text(attacker), .begins = 20, .method = "fragmented"};
}

Attack scan_decoys(Traffic& traffic) {
  auto& random = traffic.random;
  traffic.locals = {host};
  std::vector<Address> sources;
  const auto count = random.between(2, 12);
  for (std::uint32_t i = 0; i < count; ++i) sources.push_back(public_address(random));
  const Target target{.open = 0.02, .filtered = random.chance(0.5) ? 1.0 : 0.0};
  const Scan scans[] = {syn_scan, fin_scan, udp_scan};
  run(traffic, 20, scans[random.between(0, 2)], sources, {host}, some_ports(random, random.between(60, 400)), target,
      pause_of(random, random.between(2, 5)));
  return {
      .kind = SecurityKind::port_scan, .who = "", .whom = detect::address_text(host), .begins = 20, .what = "decoys"};
}

Attack scan_all_open(Traffic& traffic) {
  auto& random = traffic.random;
  traffic.locals = {host};
  const auto attacker = public_address(random);
  const Target target{.open = random.between_real(0.5, 1), .filtered = 0};
  run(traffic, 20, random.chance(0.5) ? syn_scan : connect_scan, {attacker}, {host}, some_ports(random, 300), target,
      pause_of(random, 4));
  return {.kind = SecurityKind::port_scan, .who = detect::address_text(attacker), .begins = 20, .what = "open"};
}

/// masscan, zmap and nmap --min-rate do not wait for answers.
Attack scan_fast(Traffic& traffic) {
  auto& random = traffic.random;
  traffic.locals = {host};
  const auto attacker = public_address(random);
  const Target target{.open = 0.001, .filtered = random.chance(0.6) ? 1.0 : 0.1};
  const double rate = random.between_real(1000, 10'000);
  run(traffic, 20, syn_scan, {attacker}, {host}, some_ports(random, 20'000), target, 1 / rate);
  return {.kind = SecurityKind::port_scan,
          .who = detect::address_text(attacker),
          .begins = 20,
          .method = "SYN",
          .what = std::to_string(static_cast<int>(rate)) + " probes/s"};
}

/// A network of 254 addresses, some of which exist.
Attack host_scan(Traffic& traffic, const Scan& scan, std::uint32_t most_ports) {
  auto& random = traffic.random;
  const bool outbound = random.chance(0.4);
  const auto network = outbound ? ipv4(198, 51, 100, 0) : ipv4(10, 0, 0, 0);
  traffic.locals = {host};
  const auto attacker = outbound ? host : public_address(random);
  if (outbound) traffic.owner = program("/usr/bin/masscan", 6667);
  const auto ports = some_ports(random, random.between(1, most_ports));
  const auto timing = random.between(2, 5);
  const double pause = pause_of(random, timing), alive = random.between_real(0, 0.25);
  std::vector<std::uint8_t> order;
  for (int i = 1; i < 255; ++i) order.push_back(static_cast<std::uint8_t>(i));
  for (std::size_t i = order.size(); i > 1; --i)
    std::swap(order[i - 1], order[random.between(0, static_cast<std::uint32_t>(i - 1))]);
  double second = 20;
  for (const auto port : ports)
    for (const auto last : order) {
      auto to = network;
      to[15] = last;
      const bool exists = detect::mix(last * 977ULL + static_cast<std::uint64_t>(alive * 1e6)) % 1000 < alive * 1000;
      run(traffic, second, scan, {attacker}, {to}, {port}, {.open = exists ? 0.5 : 0.0, .filtered = exists ? 0.0 : 1.0},
          pause);
      second += pause;
    }
  traffic.owner = nullptr;
  return {.kind = SecurityKind::host_scan,
          .who = detect::address_text(attacker),
          .begins = 20,
          .what = std::to_string(ports.size()) + " ports of a /24 at T" + std::to_string(timing)};
}

Attack hosts_syn(Traffic& traffic) { return host_scan(traffic, syn_scan, 6); }
Attack hosts_connect(Traffic& traffic) { return host_scan(traffic, connect_scan, 3); }
Attack hosts_udp(Traffic& traffic) { return host_scan(traffic, udp_scan, 2); }
Attack hosts_ack(Traffic& traffic) { return host_scan(traffic, ack_scan, 2); }

constexpr AttackScene scenes[] = {
    {"scan-syn", "nmap -sS, T2 to T5, 40 to 1000 ports, refused or silent, up to 10 % open, in and out", scan_syn},
    {"scan-connect", "nmap -sT", scan_connect},
    {"scan-fin", "nmap -sF", scan_fin},
    {"scan-null", "nmap -sN", scan_null},
    {"scan-xmas", "nmap -sX", scan_xmas},
    {"scan-ack", "nmap -sA, -sW", scan_ack},
    {"scan-maimon", "nmap -sM", scan_maimon},
    {"scan-udp", "nmap -sU, half of them against a limit of one ICMP error a second", scan_udp},
    {"scan-sctp", "nmap -sY", scan_sctp},
    {"scan-protocols", "nmap -sO", scan_protocols},
    {"scan-fragments", "nmap -f", scan_fragments},
    {"scan-decoys", "nmap -D with 1 to 11 decoys; SYN, FIN, UDP", scan_decoys},
    {"scan-open", "SYN and connect scan of a target where 50 to 100 % of the ports are open", scan_all_open},
    {"scan-fast", "SYN scan of 16,000 ports at 1000 to 10,000 a second, most of them silent", scan_fast},
    {"hosts-syn", "SYN, 1 to 6 ports of a /24 with up to 25 % hosts, T2 to T5, in and out", hosts_syn},
    {"hosts-connect", "likewise, connect, 1 to 3 ports", hosts_connect},
    {"hosts-udp", "likewise, UDP, 1 or 2 ports", hosts_udp},
    {"hosts-ack", "likewise, ACK", hosts_ack},
};

}  // namespace

std::span<const AttackScene> scan_attacks() { return scenes; }

}  // namespace sonde::corpus
