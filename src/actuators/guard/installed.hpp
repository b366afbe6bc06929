// SPDX-License-Identifier: Apache-2.0
// The rule set that the kernel decides by: read, and exchanged for another one.
#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "actuators/guard/plan.hpp"
#include "actuators/guard/store.hpp"
#include "actuators/guard/tables/rule_set_map.hpp"
#include "base/fd.hpp"

namespace sonde::guard {

/// Now on both clocks.
struct Clocks {
  std::int64_t wall_ns = 0;
  std::int64_t monotonic_ns = 0;
  [[nodiscard]] std::int64_t offset() const { return wall_ns - monotonic_ns; }
  [[nodiscard]] static Clocks now();
};

/// Needs the directory's lock as long as it lives.
class InstalledRules {
 public:
  /// Carries counts over that a killed process left behind. Without a rule set in the slot, puts an empty one there.
  [[nodiscard]] static Result<InstalledRules> open(const std::string& directory);

  /// As they were installed, expired ones included.
  [[nodiscard]] Result<RuleSet> rules(const Clocks& clocks) const;
  [[nodiscard]] Result<BlobView> view() const { return current_.view(); }
  [[nodiscard]] StoreHeader store() const;
  [[nodiscard]] std::size_t bytes() const { return current_.memory().size(); }

  /// Every packet is decided by the rules before or by these. Counts of rules that stay are carried over to the packet,
  /// those of rules that go are added to the retired ones. Killed at any moment, it leaves one of the two rule sets,
  /// and the next open() brings the counts to an end.
  Result<void> replace(const RuleSet& rules, const Clocks& clocks);

  /// Programs that are running now have ended when this returns.
  Result<void> wait_for_programs() { return replace_rule_set(slot_.get(), current_); }

 private:
  InstalledRules(std::string directory, Fd slot, RuleSetMap current)
      : directory_(std::move(directory)), slot_(std::move(slot)), current_(std::move(current)) {}

  std::string directory_;
  Fd slot_;  ///< the map guard_rules
  RuleSetMap current_;
};

}  // namespace sonde::guard
