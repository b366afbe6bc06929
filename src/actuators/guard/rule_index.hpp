// SPDX-License-Identifier: Apache-2.0
// Finds a rule among a million.
#pragma once
#include <cstdint>
#include <vector>

#include "sonde/guard.hpp"

namespace sonde::guard {

/// Open addressing: one allocation for all rules, where a node a rule takes longer than all the rest of a change.
class RuleIndex {
 public:
  static constexpr std::uint32_t none = UINT32_MAX;

  /// Room for so many rules.
  explicit RuleIndex(std::size_t rules);

  /// Place of the rule that is the same one (same_rule) in `rules`; or none, and then `place` is noted for it.
  std::uint32_t find_or_insert(const std::vector<GuardRule>& rules, const GuardRule& rule, std::uint32_t place);
  [[nodiscard]] std::uint32_t find(const std::vector<GuardRule>& rules, const GuardRule& rule) const;

 private:
  [[nodiscard]] std::size_t slot_of(const std::vector<GuardRule>& rules, const GuardRule& rule) const;

  std::vector<std::uint32_t> slots_;
};

}  // namespace sonde::guard
