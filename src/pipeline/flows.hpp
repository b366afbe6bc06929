// SPDX-License-Identifier: Apache-2.0
// Where flows come from: the kernel's table (sensors/flows), or packets that are put together in user space (flows/).
#pragma once
#include <sonde/abi/flow.h>
#include <sonde/abi/packet.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "sonde/flow.hpp"
#include "sonde/loss.hpp"
#include "sonde/packet.hpp"
#include "sonde/result.hpp"

namespace sonde::pipeline {

struct FlowCount {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
};

/// A flow at one collection; valid in the call only. Made to be looked at a million times a second: who wants owners,
/// names or wall time asks FlowSource::describe() for the few that are shown.
struct FlowSample {
  const sonde_flow* flow = nullptr;  ///< what it is by now, since its first packet
  std::array<FlowCount, 2> delta;    ///< by side as in *flow: since the collection before
  std::uint64_t id = 0;              ///< names the flow as long as the source lives
  bool is_new = false;               ///< it was in no collection before
  FlowEnd end = FlowEnd::none;       ///< not none: this is its last sample
};

/// What detectors want to see of packets that are no flow, or more than one a flow.
struct FlowPacket {
  const sonde_packet_event* event = nullptr;  ///< ARP, or DNS over UDP
  std::span<const std::uint8_t> bytes;        ///< from the link header on
  std::int64_t wall_ns = 0;
};

class FlowVisitor {
 public:
  virtual ~FlowVisitor() = default;
  /// A flow that had packets since the last collection, or has ended.
  virtual void visit(const FlowSample& sample) = 0;
  /// ARP and DNS, if the source was asked for them.
  virtual void visit(const FlowPacket& /*packet*/) {}
};

/// One thread uses a source.
class FlowSource {
 public:
  virtual ~FlowSource() = default;

  /// Visits every flow with packets since the last call, and every one that has ended: no packet is ever in two
  /// samples' deltas, and the deltas of all samples sum up to what loss() says was given.
  virtual Result<void> collect(FlowVisitor& visitor) = 0;

  /// Reads what must not wait for a collection (spilled packets, payload), waiting at most `timeout`.
  virtual Result<void> poll(std::chrono::milliseconds timeout) = 0;

  /// Ends the intake; the next collection is the last, and ends every flow.
  virtual Result<void> stop() = 0;
  /// A file's end, or stopped and collected.
  [[nodiscard]] virtual bool finished() const = 0;

  /// The flow in full. Within visit() only.
  [[nodiscard]] virtual Flow describe(const FlowSample& sample) = 0;

  /// Wall clock of the source: now, or the time of the last packet of a file.
  [[nodiscard]] virtual std::int64_t now_wall_ns() const = 0;
  /// Offset from sonde_flow.first_ns and last_ns to wall time.
  [[nodiscard]] virtual std::int64_t to_wall_ns(std::uint64_t monotonic_ns) const = 0;

  /// Packets, not flows: "hook" (taken, filtered), "flows" (given: counted in a flow; lost: no room in table and ring).
  [[nodiscard]] virtual std::vector<LossStage> loss() const = 0;
  [[nodiscard]] virtual const InterfaceTable& interfaces() const = 0;
  [[nodiscard]] virtual std::vector<std::string> notices() const = 0;
};

}  // namespace sonde::pipeline
