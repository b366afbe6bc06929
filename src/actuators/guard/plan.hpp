// SPDX-License-Identifier: Apache-2.0
// What a change makes of a rule set. Pure: no clock, no kernel.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "sonde/guard.hpp"

namespace sonde::guard {

struct RuleSet {
  std::vector<GuardRule> rules;  ///< by id
  std::uint64_t next_id = 1;
};

/// A rule set to be. Rules that stay have the ids that they had.
struct Plan {
  RuleSet to;
  GuardChange change;
  bool same = false;  ///< nothing would change
};

struct PlanOptions {
  std::int64_t now_wall_ns = 0;  ///< what expires at this time or before is purged
  std::size_t most_lines = 20;   ///< of each kind
};

/// Do two rules stand for the same place in the set? Verdict, network, protocol, ports, direction, dry_run and
/// interface are the same; TTL, rate, burst and comment are what adding it again changes.
[[nodiscard]] bool same_rule(const GuardRule& a, const GuardRule& b);

[[nodiscard]] Plan plan_add(const RuleSet& from, std::span<const GuardRule> rules, const PlanOptions& options);
/// An id or a rule that is not there is an error.
[[nodiscard]] Result<Plan> plan_remove(const RuleSet& from, std::span<const std::uint64_t> ids,
                                       std::span<const GuardRule> rules, const PlanOptions& options);
[[nodiscard]] Plan plan_apply(const RuleSet& from, std::span<const GuardRule> rules, const PlanOptions& options);

}  // namespace sonde::guard
