// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "pipeline/source.hpp"

namespace sonde::test {

/// A packet that outlives its batch.
struct SeenPacket {
  sonde_packet_event event{};
  std::vector<std::uint8_t> bytes;
  std::int64_t wall_ns = 0;
};

struct Collected {
  std::vector<SeenPacket> packets;
  std::optional<Error> error;  ///< the read that failed, if one did
};

/// Reads until the source is finished or fails.
Collected read_all(pipeline::Source& source);

/// Reads until `count` packets are there or the time is up; does not stop the source.
Collected read_some(pipeline::Source& source, std::size_t count, std::chrono::milliseconds patience);

/// stop(), then read_all().
Collected stop_and_drain(pipeline::Source& source);

/// The sum of every stage holds, and each stage took what the one before gave.
bool balanced(const pipeline::Source& source);

}  // namespace sonde::test
