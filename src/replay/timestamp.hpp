// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <optional>

namespace sonde::replay {

/// Unit and zero point of an interface's timestamps (pcapng options if_tsresol and if_tsoffset).
class TimeUnit {
 public:
  /// 10^-6 s, the default of pcapng.
  TimeUnit() = default;
  /// if_tsresol: the high bit says power of 2 instead of 10, the others the negative exponent. Nothing if a second does
  /// not fit into 64 bits of the unit (10^-20, 2^-64 and finer).
  [[nodiscard]] static std::optional<TimeUnit> from_resolution(std::uint8_t if_tsresol);
  /// Seconds that are added to every timestamp.
  void set_offset(std::int64_t seconds) { offset_seconds_ = seconds; }

  /// Nanoseconds since 1970-01-01 UTC, rounded down; limited to what 64 bits hold (years 1677 to 2262).
  [[nodiscard]] std::int64_t wall_ns(std::uint64_t timestamp) const;

 private:
  std::uint64_t units_per_second_ = 1'000'000;
  std::uint64_t unit_ns_ = 1'000;  // 0: not a whole number of nanoseconds
  std::int64_t offset_seconds_ = 0;
};

}  // namespace sonde::replay
