// SPDX-License-Identifier: Apache-2.0
// Moves packets from a source to the sinks until something ends the capture, and keeps the books.
#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "pipeline/sink.hpp"
#include "pipeline/source.hpp"

namespace sonde::pipeline {

struct Limits {
  std::uint64_t count = 0;              ///< packets to output; 0: no limit
  std::chrono::nanoseconds duration{};  ///< 0: no limit
};

struct Outcome {
  Summary summary;
  std::optional<Error> error;  ///< what ended the capture early; the summary holds all the same
};

/// Runs until the source is finished, a limit is reached, `stop` becomes true or a sink fails. Then ends the intake,
/// reads what was taken before (packets beyond the count are counted as filtered) and finishes the sinks. A closed pipe
/// is no error. `stop` may be set by a signal handler.
[[nodiscard]] Outcome run(Source& source, const std::vector<std::unique_ptr<Sink>>& sinks, const Limits& limits,
                          const std::atomic<bool>& stop);

}  // namespace sonde::pipeline
