// SPDX-License-Identifier: Apache-2.0
// Where packets come from: the packets sensor (eBPF), AF_PACKET, a file.
#pragma once
#include <array>
#include <chrono>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "sonde/loss.hpp"
#include "sonde/packet.hpp"
#include "sonde/result.hpp"

namespace sonde::pipeline {

/// Packets of one read, valid until the next read of the same source.
struct PacketBatch {
  static constexpr std::size_t capacity = 256;
  std::array<Packet, capacity> packets;
  std::size_t size = 0;

  [[nodiscard]] std::span<const Packet> view() const { return {packets.data(), size}; }
};

/// One thread reads a source. Packets come in the order of their time as far as the source can tell.
class Source {
 public:
  virtual ~Source() = default;

  /// Replaces the batch by what is there, waiting at most `timeout` for the first packet. An empty batch is no error.
  /// The packets have passed the filter already.
  virtual Result<void> read(PacketBatch& batch, std::chrono::milliseconds timeout) = 0;

  /// Ends the intake (detaches hooks, leaves the socket): what was taken before can still be read.
  virtual Result<void> stop() = 0;

  /// Nothing will come any more: a file's end, or stopped and drained.
  [[nodiscard]] virtual bool finished() const = 0;

  /// The stages of this source, in order, up to and including the packets that read() returned.
  /// Exact once finished() is true; a snapshot before.
  [[nodiscard]] virtual std::vector<LossStage> loss() const = 0;

  /// May grow between reads, never while a batch is being looked at.
  [[nodiscard]] virtual const InterfaceTable& interfaces() const = 0;

  /// Lines for the user about what was attached and why: "eth0: in by tcx, out by tcx".
  [[nodiscard]] virtual std::vector<std::string> notices() const = 0;
};

}  // namespace sonde::pipeline
