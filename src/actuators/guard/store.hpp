// SPDX-License-Identifier: Apache-2.0
// A rule set as the kernel keeps it beside its tables: the only place where rules are remembered.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "actuators/guard/plan.hpp"

namespace sonde::guard {

inline constexpr std::size_t verdict_count = 5;

/// What precedes the text, native byte order. Written again after the rule set was taken into use, when the counts of
/// the one before have become final.
struct StoreHeader {
  std::uint32_t magic = 0x74736773;  // "sgst"
  std::uint32_t version = 1;
  std::uint64_t next_id = 1;
  /// What rules that are gone had decided, by verdict; dry-run rules decide nothing and are not in it. A limit has what
  /// it let pass here, and what it dropped in retired_limited.
  std::array<GuardCount, verdict_count> retired{};
  GuardCount retired_limited;
};

/// The header (with no retired counts) and a line a rule. `monotonic_offset_ns`: wall time minus CLOCK_MONOTONIC.
/// Expiries are kept on the kernel's clock, so that a wall clock that is set does not move them.
[[nodiscard]] std::string store(const RuleSet& set, std::int64_t monotonic_offset_ns);
[[nodiscard]] Result<RuleSet> restore(std::string_view stored, std::int64_t monotonic_offset_ns);
[[nodiscard]] StoreHeader store_header(std::string_view stored);

}  // namespace sonde::guard
