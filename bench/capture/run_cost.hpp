// SPDX-License-Identifier: Apache-2.0
// What a program costs a packet.
#pragma once
#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "sonde/result.hpp"

namespace sonde::bench {

/// Nanoseconds of CPU time of this thread that one of `repeat` runs with the frame takes (BPF_PROG_TEST_RUN, whose own
/// figure is in whole nanoseconds and counts the time of other processes).
[[nodiscard]] Result<double> run_cost(int program, std::span<const std::uint8_t> frame, std::uint32_t repeat);

/// `values` is not empty.
[[nodiscard]] inline double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

}  // namespace sonde::bench
