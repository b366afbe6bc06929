// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <unordered_map>

#include "pipeline/flows.hpp"
#include "sonde/flow_stream.hpp"

namespace sonde::aggregate {

/// Makes a record of a flow when it ends, and when the active timeout is over since its first packet or its record
/// before. Time is that of the packets. A flow without packets since its last record has none until it ends. Memory:
/// about 90 bytes for each living flow that had a record.
class FlowRecorder {
 public:
  FlowRecorder(std::chrono::nanoseconds active_timeout, std::function<void(const FlowRecord&)> give)
      : active_ns_(static_cast<std::uint64_t>(active_timeout.count())), give_(std::move(give)) {}

  void visit(const pipeline::FlowSample& sample, pipeline::FlowSource& source);

 private:
  struct Recorded {
    std::array<PacketCount, 2> counts{};  ///< by side
    std::uint64_t last_ns = 0;            ///< CLOCK_MONOTONIC, of the last packet in the record
  };
  void give(const pipeline::FlowSample& sample, const Recorded& before, std::uint64_t from_ns,
            pipeline::FlowSource& source) const;

  std::uint64_t active_ns_;
  std::function<void(const FlowRecord&)> give_;
  std::unordered_map<std::uint64_t, Recorded> recorded_;  ///< by the flow's id
};

}  // namespace sonde::aggregate
