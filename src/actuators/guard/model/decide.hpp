// SPDX-License-Identifier: Apache-2.0
// What a rule set does to a packet, the slow and plain way. The programs in the kernel must come to the same; and what
// would cut the operator off is found with it before rules are applied.
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "actuators/guard/guard.abi.h"
#include "actuators/guard/model/packet.hpp"
#include "sonde/guard.hpp"

namespace sonde::guard {

/// Who is how far ahead of the rate of which limit rule.
struct LimitState {
  std::map<std::pair<std::uint64_t, std::array<std::uint8_t, 16>>, double> ahead_ns;  ///< by rule id and peer
};

struct GuardDecision {
  sonde_guard_outcome outcome = SONDE_GUARD_PASSED;
  bool dropped = false;
  std::optional<std::size_t> rule;   ///< that decided: its place in the rules
  std::vector<std::size_t> dry_run;  ///< dry-run rules that counted the packet, in the order in which they are asked
  std::vector<std::size_t> dry_run_limited;  ///< of these, limits that would have dropped it
};

/// Whether all that the rule names holds for the packet; expiry is not looked at.
[[nodiscard]] bool matches(const GuardRule& rule, const GuardPacket& packet);

/// The order in which rules are asked: by verdict, then the longer network, then the place in the rules.
[[nodiscard]] std::vector<std::size_t> rule_order(std::span<const GuardRule> rules);

/// `now_wall_ns`: rules that have expired by then match nothing. Without `limits`, every limit rule lets pass.
[[nodiscard]] GuardDecision decide(std::span<const GuardRule> rules, const GuardPacket& packet,
                                   std::int64_t now_wall_ns, LimitState* limits = nullptr);

/// "passed", "dropped-block", "spared-fragment" ...: for people, JSON and docs.
[[nodiscard]] const char* outcome_name(sonde_guard_outcome outcome);
[[nodiscard]] bool outcome_drops(sonde_guard_outcome outcome);

}  // namespace sonde::guard
