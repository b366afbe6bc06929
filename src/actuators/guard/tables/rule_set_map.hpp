// SPDX-License-Identifier: Apache-2.0
// Compiled rule sets as kernel maps.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>

#include "actuators/guard/tables/blob_view.hpp"
#include "actuators/guard/tables/compile.hpp"
#include "kernel/mapped_array.hpp"
#include "sonde/result.hpp"

namespace sonde::guard {

/// A rule set in the kernel, mapped. The kernel keeps the map as long as it is in the slot, or anybody has it open.
class RuleSetMap {
 public:
  /// A new map with this rule set, not in use yet.
  [[nodiscard]] static Result<RuleSetMap> create(const Blob& blob);
  /// The rule set in the slot of guard_rules; empty: there is none.
  [[nodiscard]] static Result<std::optional<RuleSetMap>> current(int guard_rules_fd);

  [[nodiscard]] Result<BlobView> view() const { return BlobView::open(map_.memory()); }
  [[nodiscard]] std::span<std::uint8_t> memory() const { return map_.memory(); }
  [[nodiscard]] int fd() const { return map_.fd(); }

 private:
  explicit RuleSetMap(kernel::MappedArray map) : map_(std::move(map)) {}
  kernel::MappedArray map_;
};

/// Puts the rule set into the slot. Every packet is decided by the old or by the new one. When this returns, no program
/// uses the old one any more: its counters stand still.
[[nodiscard]] Result<void> replace_rule_set(int guard_rules_fd, const RuleSetMap& next);

}  // namespace sonde::guard
