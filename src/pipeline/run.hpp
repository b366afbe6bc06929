// SPDX-License-Identifier: Apache-2.0
// Moves packets from a source to the sinks until something ends the capture, and keeps the books.
#pragma once
#include <atomic>
#include <memory>
#include <optional>
#include <vector>

#include "pipeline/loop.hpp"
#include "pipeline/sink.hpp"
#include "pipeline/source.hpp"

namespace sonde::pipeline {

struct Outcome {
  Summary summary;
  std::optional<Error> error;  ///< what ended the capture early; the summary holds all the same
};

/// The loop (pipeline/loop.hpp) over packets.
[[nodiscard]] Outcome run(Source& source, const std::vector<std::unique_ptr<Sink>>& sinks, const Limits& limits,
                          const std::atomic<bool>& stop);

}  // namespace sonde::pipeline
