// SPDX-License-Identifier: Apache-2.0
#include "actuators/guard/tables/facts.hpp"

#include <algorithm>

#include "sonde/endpoint.hpp"

namespace sonde::guard {
namespace {

constexpr std::uint8_t ipv4_bits = 96;  // of ::ffff:0:0/96

RuleFacts facts(const GuardRule& rule, std::int64_t now_wall_ns) {
  const bool transport = rule.protocol || !rule.source_ports.any() || !rule.destination_ports.any();
  const bool expires = rule.expires_wall_ns != 0;
  const bool final = rule.verdict == GuardVerdict::never_block || rule.verdict == GuardVerdict::allow ||
                     rule.verdict == GuardVerdict::block;
  return {.verdict = static_cast<std::uint8_t>(rule.verdict),
          .directions = direction_bits(rule.direction),
          .plain = final && !transport && !expires && !rule.dry_run && rule.interface.empty(),
          .over = expires && rule.expires_wall_ns <= now_wall_ns,
          .needs = static_cast<std::uint8_t>((transport ? SONDE_GUARD_NEEDS_TRANSPORT : 0) |
                                             (expires ? SONDE_GUARD_NEEDS_CLOCK : 0))};
}

}  // namespace

std::uint8_t direction_bits(GuardDirection direction) {
  switch (direction) {
    case GuardDirection::in: return SONDE_GUARD_IN;
    case GuardDirection::out: return SONDE_GUARD_OUT;
    case GuardDirection::both: break;
  }
  return SONDE_GUARD_IN | SONDE_GUARD_OUT;
}

bool is_ipv4(const GuardNetwork& network) {
  return network.length >= ipv4_bits && Endpoint{network.address, 0}.is_ipv4();
}

bool covers_family(const GuardNetwork& network) {
  return network.any() || (network.length == ipv4_bits && is_ipv4(network));
}

std::uint8_t families(const GuardNetwork& network) {
  if (network.any()) return SONDE_GUARD_FAMILY4 | SONDE_GUARD_FAMILY6;
  return is_ipv4(network) ? SONDE_GUARD_FAMILY4 : SONDE_GUARD_FAMILY6;
}

std::vector<RuleFacts> rule_facts(std::span<const GuardRule> rules, std::int64_t now_wall_ns) {
  std::vector<RuleFacts> all(rules.size());
  std::ranges::transform(rules, all.begin(), [&](const GuardRule& rule) { return facts(rule, now_wall_ns); });
  return all;
}

}  // namespace sonde::guard
