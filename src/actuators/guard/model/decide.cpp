// SPDX-License-Identifier: Apache-2.0
#include "actuators/guard/model/decide.hpp"

#include <algorithm>
#include <array>
#include <numeric>

namespace sonde::guard {
namespace {

constexpr double second_ns = 1e9;

const std::array<std::uint8_t, 16>& peer(const GuardPacket& packet) {
  return packet.direction == GuardDirection::in ? packet.source : packet.destination;
}

bool bits_equal(const std::array<std::uint8_t, 16>& a, const std::array<std::uint8_t, 16>& b, unsigned length) {
  for (unsigned bit = 0; bit < length; ++bit)
    if (((a[bit / 8] ^ b[bit / 8]) >> (7 - bit % 8) & 1) != 0) return false;
  return true;
}

bool is_ipv4_network(const GuardNetwork& network) {
  constexpr std::array<std::uint8_t, 16> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  return network.length >= 96 && bits_equal(network.address, mapped, 96);
}

// A network of one family matches no packet of the other: ::/8 is no IPv4 network, though ::ffff:192.0.2.1 is in it.
bool network_matches(const GuardNetwork& network, const GuardPacket& packet) {
  if (packet.family == 0) return false;
  if (network.any()) return true;
  return is_ipv4_network(network) == (packet.family == 4) && bits_equal(network.address, peer(packet), network.length);
}

bool ports_match(const GuardPorts& ports, const std::optional<std::uint16_t>& port) {
  return ports.any() || (port && *port >= ports.first && *port <= ports.last);
}

bool is_loopback(const GuardPacket& packet) {
  constexpr std::array<std::uint8_t, 16> ipv6{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  if (packet.family == 4) return packet.source[12] == 127 && packet.destination[12] == 127;
  return packet.source == ipv6 && packet.destination == ipv6;
}

bool is_discovery(const GuardPacket& packet) {
  if (packet.family != 6 || packet.protocol != 58 || !packet.icmp_type) return false;
  return (*packet.icmp_type >= 130 && *packet.icmp_type <= 137) || *packet.icmp_type == 143;
}

bool is_dhcp(const GuardPacket& packet) {
  if (packet.protocol != 17) return false;
  const bool in = packet.direction == GuardDirection::in;
  const auto server = in ? packet.source_port : packet.destination_port;
  const auto client = in ? packet.destination_port : packet.source_port;
  return packet.family == 4 ? server == 67 && client == 68 : server == 547 && client == 546;
}

/// What keeps default_drop rules away; empty: nothing.
std::optional<sonde_guard_outcome> spared(const GuardPacket& packet) {
  if (packet.evasive) return {};
  if (packet.later_fragment) return SONDE_GUARD_SPARED_FRAGMENT;
  if (packet.malformed) return SONDE_GUARD_MALFORMED;
  if (is_discovery(packet)) return SONDE_GUARD_SPARED_DISCOVERY;
  if (is_loopback(packet)) return SONDE_GUARD_SPARED_LOOPBACK;
  if (is_dhcp(packet)) return SONDE_GUARD_SPARED_DHCP;
  if (packet.established && !packet.pure_syn) return SONDE_GUARD_SPARED_ESTABLISHED;
  return {};
}

bool above_rate(const GuardRule& rule, const GuardPacket& packet, std::int64_t now_ns, LimitState& limits) {
  const auto rate = static_cast<double>(rule.rate);
  const auto burst = static_cast<double>(rule.burst == 0 ? rule.rate : rule.burst);
  const double cost = (rule.rate_in_bytes ? packet.size : 1) * second_ns / rate;
  const auto now = static_cast<double>(now_ns);
  auto& ahead = limits.ahead_ns[{rule.id, peer(packet)}];
  if (ahead > now && ahead + cost - now > burst * second_ns / rate) return true;
  ahead = std::max(ahead, now) + cost;
  return false;
}

sonde_guard_outcome outcome_of(GuardVerdict verdict) {
  switch (verdict) {
    case GuardVerdict::never_block: return SONDE_GUARD_PASSED_NEVER;
    case GuardVerdict::allow: return SONDE_GUARD_PASSED_ALLOW;
    case GuardVerdict::block: return SONDE_GUARD_DROPPED_BLOCK;
    case GuardVerdict::limit: return SONDE_GUARD_PASSED_LIMIT;
    case GuardVerdict::default_drop: break;
  }
  return SONDE_GUARD_DROPPED_DEFAULT;
}

}  // namespace

bool matches(const GuardRule& rule, const GuardPacket& packet) {
  if (rule.direction != GuardDirection::both && rule.direction != packet.direction) return false;
  if (!rule.interface.empty() && rule.interface != packet.interface) return false;
  if (!network_matches(rule.network, packet)) return false;
  if (rule.verdict == GuardVerdict::default_drop && packet.evasive) return true;
  if (rule.protocol && rule.protocol != packet.protocol) return false;
  const bool restricts = rule.verdict == GuardVerdict::block || rule.verdict == GuardVerdict::limit;
  if (restricts && !rule.protocol && is_discovery(packet)) return false;
  return ports_match(rule.source_ports, packet.source_port) &&
         ports_match(rule.destination_ports, packet.destination_port);
}

std::vector<std::size_t> rule_order(std::span<const GuardRule> rules) {
  std::vector<std::size_t> order(rules.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) {
    if (rules[a].verdict != rules[b].verdict) return rules[a].verdict < rules[b].verdict;
    return rules[a].network.length > rules[b].network.length;
  });
  return order;
}

GuardDecision decide(std::span<const GuardRule> rules, const GuardPacket& packet, std::int64_t now_wall_ns,
                     LimitState* limits) {
  GuardDecision decision;
  if (packet.family == 0) {
    decision.outcome = packet.malformed ? SONDE_GUARD_MALFORMED : SONDE_GUARD_NOT_IP;
    return decision;
  }
  for (const auto place : rule_order(rules)) {
    const auto& rule = rules[place];
    if (rule.expires_wall_ns != 0 && rule.expires_wall_ns <= now_wall_ns) continue;
    if (!matches(rule, packet)) continue;
    auto outcome = outcome_of(rule.verdict);
    if (rule.verdict == GuardVerdict::default_drop) {
      if (const auto reason = spared(packet)) {
        decision.outcome = *reason;
        return decision;
      }
    }
    if (rule.verdict == GuardVerdict::limit && limits != nullptr && above_rate(rule, packet, now_wall_ns, *limits))
      outcome = SONDE_GUARD_DROPPED_LIMIT;
    if (rule.dry_run) {
      decision.dry_run.push_back(place);
      if (outcome == SONDE_GUARD_DROPPED_LIMIT) decision.dry_run_limited.push_back(place);
      continue;
    }
    decision.outcome = outcome;
    decision.dropped = outcome_drops(outcome);
    decision.rule = place;
    return decision;
  }
  return decision;
}

const char* outcome_name(sonde_guard_outcome outcome) {
  constexpr std::array<const char*, SONDE_GUARD_OUTCOMES> names{"passed",
                                                                "passed-never-block",
                                                                "passed-allow",
                                                                "dropped-block",
                                                                "passed-limit",
                                                                "dropped-limit",
                                                                "dropped-default",
                                                                "not-ip",
                                                                "malformed",
                                                                "spared-fragment",
                                                                "spared-discovery",
                                                                "spared-loopback",
                                                                "spared-established",
                                                                "spared-dhcp",
                                                                "unguarded"};
  return outcome < names.size() ? names[outcome] : "unknown";
}

bool outcome_drops(sonde_guard_outcome outcome) {
  return outcome == SONDE_GUARD_DROPPED_BLOCK || outcome == SONDE_GUARD_DROPPED_LIMIT ||
         outcome == SONDE_GUARD_DROPPED_DEFAULT;
}

}  // namespace sonde::guard
