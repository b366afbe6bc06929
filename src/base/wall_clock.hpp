// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>

namespace sonde {

/// Nanoseconds now on CLOCK_MONOTONIC, the clock of bpf_ktime_get_ns().
[[nodiscard]] std::int64_t monotonic_ns();
/// Nanoseconds since 1970 now.
[[nodiscard]] std::int64_t wall_now_ns();

/// Turns CLOCK_MONOTONIC into wall time. The offset between the clocks is taken again when it is older than a second,
/// so that wall time follows a clock that is being corrected.
class WallClock {
 public:
  WallClock() { refresh(); }

  /// Wall time of a monotonic time, both in nanoseconds.
  [[nodiscard]] std::int64_t wall_ns(std::uint64_t monotonic) const {
    return static_cast<std::int64_t>(monotonic) + offset_ns_;
  }

  /// Call once a batch.
  void refresh_if_old();

 private:
  void refresh();
  std::int64_t offset_ns_ = 0;
  std::int64_t taken_at_ns_ = 0;
};

}  // namespace sonde
