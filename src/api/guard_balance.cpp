// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "actuators/guard/model/decide.hpp"
#include "sonde/guard.hpp"

namespace sonde {
namespace {

// By GuardVerdict; of a limit what passes.
constexpr std::array by_verdict{SONDE_GUARD_PASSED_NEVER, SONDE_GUARD_PASSED_ALLOW, SONDE_GUARD_DROPPED_BLOCK,
                                SONDE_GUARD_PASSED_LIMIT, SONDE_GUARD_DROPPED_DEFAULT};

bool near(std::uint64_t a, std::uint64_t b, std::uint64_t slack) { return std::max(a, b) - std::min(a, b) <= slack; }

}  // namespace

bool GuardStats::balanced() const {
  std::array<std::uint64_t, by_verdict.size()> by_rule{};
  for (std::size_t verdict = 0; verdict < by_rule.size(); ++verdict) by_rule[verdict] = retired[verdict].packets;
  auto limited = retired_limited.packets;
  for (const auto& entry : rules) {
    if (entry.rule.dry_run) continue;
    const bool limits = entry.rule.verdict == GuardVerdict::limit;
    by_rule[static_cast<std::size_t>(entry.rule.verdict)] += (limits ? entry.passed : entry.hits).packets;
    if (limits) limited += entry.hits.packets;
  }
  const auto outcome = [&](sonde_guard_outcome which) {
    const auto found = std::ranges::find(outcomes, guard::outcome_name(which), &GuardOutcome::name);
    return found == outcomes.end() ? 0 : found->count.packets;
  };
  for (std::size_t verdict = 0; verdict < by_rule.size(); ++verdict)
    if (!near(by_rule[verdict], outcome(by_verdict[verdict]), moving)) return false;
  return near(limited, outcome(SONDE_GUARD_DROPPED_LIMIT), moving);
}

}  // namespace sonde
