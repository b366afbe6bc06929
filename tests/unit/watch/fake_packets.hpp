// SPDX-License-Identifier: Apache-2.0
// A source of packets that the test made.
#pragma once
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "harness/packet_builder.hpp"
#include "pipeline/source.hpp"

namespace sonde::test {

struct TimedFrame {
  std::int64_t wall_ns = 0;
  Bytes frame;
  std::uint32_t ifindex = 1;
  std::uint8_t direction = SONDE_DIRECTION_IN;
};

inline constexpr std::int64_t millisecond = 1'000'000;
inline constexpr std::int64_t second = 1000 * millisecond;
/// When the tests' packets begin: 2026-01-01 00:00:00 UTC.
inline constexpr std::int64_t start_ns = 1'767'225'600 * second;

/// Interfaces 1 and 2 are "eth0" and "eth1". Gives `batch` frames a read.
[[nodiscard]] std::unique_ptr<pipeline::Source> make_fake_packets(std::vector<TimedFrame> frames,
                                                                  std::size_t batch = 7);

}  // namespace sonde::test
