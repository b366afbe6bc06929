// SPDX-License-Identifier: Apache-2.0
// What a compiled rule set says, read from the mapped memory of the kernel's map.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "actuators/guard/guard.abi.h"
#include "sonde/guard.hpp"
#include "sonde/result.hpp"

namespace sonde::guard {

/// Valid as long as the bytes are. Counters go on counting while they are read.
class BlobView {
 public:
  /// `bytes`: the whole map. An error if this is no rule set, or one of another version of sonde.
  [[nodiscard]] static Result<BlobView> open(std::span<const std::uint8_t> bytes);

  [[nodiscard]] const sonde_guard_header& header() const;
  [[nodiscard]] std::uint64_t generation() const { return header().generation; }
  [[nodiscard]] std::uint32_t rules() const { return header().rules; }
  [[nodiscard]] std::string_view source() const;
  [[nodiscard]] std::uint64_t id(std::uint32_t rule) const;

  /// Packets that the rule decided (or would have decided, if it is dry-run); what was carried over is in it.
  [[nodiscard]] GuardCount count(std::uint32_t rule) const;
  /// Of these, dropped because they were above the rate. Zero for what is no limit.
  [[nodiscard]] GuardCount limited(std::uint32_t rule) const;

 private:
  explicit BlobView(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}
  [[nodiscard]] GuardCount sum(std::uint32_t counter) const;
  std::span<const std::uint8_t> bytes_;
};

/// Adds the counts of rules of `old` to `now`, the writable memory of another mapped rule set. `origin`: for each rule
/// of `now` its place in `old`, or UINT32_MAX. To be called once the programs have left `old` (replace_rule_set()
/// returns then), so that nothing is lost.
void carry_counts(const BlobView& old, std::span<std::uint8_t> now, std::span<const std::uint32_t> origin);

}  // namespace sonde::guard
