// SPDX-License-Identifier: Apache-2.0
#include "base/wall_clock.hpp"

#include <ctime>
#include <limits>

namespace sonde {
namespace {

constexpr std::int64_t second_ns = 1'000'000'000;

std::int64_t clock_ns(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return now.tv_sec * second_ns + now.tv_nsec;
}

}  // namespace

std::int64_t monotonic_ns() { return clock_ns(CLOCK_MONOTONIC); }
std::int64_t wall_now_ns() { return clock_ns(CLOCK_REALTIME); }

void WallClock::refresh_if_old() {
  if (monotonic_ns() - taken_at_ns_ > second_ns) refresh();
}

// The three clocks are read one after the other; of a few tries the one with the smallest gap is the most exact.
void WallClock::refresh() {
  std::int64_t best_gap = std::numeric_limits<std::int64_t>::max();
  for (int attempt = 0; attempt < 5; ++attempt) {
    const std::int64_t before = monotonic_ns();
    const std::int64_t wall = clock_ns(CLOCK_REALTIME);
    const std::int64_t after = monotonic_ns();
    if (after - before >= best_gap) continue;
    best_gap = after - before;
    offset_ns_ = wall - (before + (after - before) / 2);
  }
  taken_at_ns_ = monotonic_ns();
}

}  // namespace sonde
