// SPDX-License-Identifier: Apache-2.0
// Where packets go: text, JSON, hex, decoded protocols, pcapng.
#pragma once
#include <chrono>
#include <span>

#include "sonde/loss.hpp"
#include "sonde/packet.hpp"
#include "sonde/result.hpp"

namespace sonde::pipeline {

/// What a capture ends with.
struct Summary {
  LossReport loss;
  PacketTotals totals{};
  std::chrono::nanoseconds duration{};
};

/// Sinks buffer; flush() makes what was written visible. A sink owns neither the packets nor the interface table.
class Sink {
 public:
  virtual ~Sink() = default;

  /// Takes packets in order. An error (closed pipe, full disk) ends the capture; the output is still well-formed up to
  /// the last packet counted by written().
  virtual Result<void> write(std::span<const Packet> packets, const InterfaceTable& interfaces) = 0;

  /// Called when no packet is waiting, so that a slow stream of packets is seen at once.
  virtual Result<void> flush() = 0;

  /// Called once at the end: trailers (statistics blocks, the JSON summary), then flush.
  virtual Result<void> finish(const Summary& summary) = 0;

  /// Packets that reached the file or pipe, for the ledger. Equal to the packets taken unless write failed.
  [[nodiscard]] virtual std::uint64_t written() const = 0;
};

}  // namespace sonde::pipeline
