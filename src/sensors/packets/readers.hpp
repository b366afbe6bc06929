// SPDX-License-Identifier: Apache-2.0
// The user-space end of the transports: records of the programs as packets.
#pragma once
#include <chrono>
#include <memory>

#include "base/fd.hpp"
#include "base/wall_clock.hpp"
#include "kernel/object.hpp"
#include "pipeline/source.hpp"
#include "sensors/packets/packets.abi.h"
#include "sonde/result.hpp"

namespace sonde::packets {

/// One thread reads.
class Reader {
 public:
  virtual ~Reader() = default;
  /// As pipeline::Source::read(). Records that are no packets are counted as malformed.
  virtual Result<void> read(pipeline::PacketBatch& batch, std::chrono::milliseconds timeout) = 0;
  [[nodiscard]] std::uint64_t delivered() const { return delivered_; }
  [[nodiscard]] std::uint64_t malformed() const { return malformed_; }

 protected:
  void refresh_clock() { clock_.refresh_if_old(); }
  /// Adds the record to the batch if it is a whole packet event.
  void add(std::span<const std::uint8_t> record, pipeline::PacketBatch& batch);
  void add(const sonde_packet_event& event, const std::uint8_t* data, pipeline::PacketBatch& batch);

  std::uint64_t delivered_ = 0;
  std::uint64_t malformed_ = 0;

 private:
  WallClock clock_;
};

/// Creates the rings (`total_bytes` shared among them), puts them into the object's "sonde_rings" and reads them;
/// several rings are merged by time.
[[nodiscard]] Result<std::unique_ptr<Reader>> make_ring_reader(const kernel::Object& object, std::uint32_t rings,
                                                               std::size_t total_bytes);

/// Reads the object's "sonde_perf"; `total_bytes` are shared among the CPUs.
[[nodiscard]] Result<std::unique_ptr<Reader>> make_perf_reader(const kernel::Object& object, std::size_t total_bytes);

/// The owner that the programs with owners put behind the event of a packet of these readers; null: there is none.
[[nodiscard]] const std::uint8_t* owner_bytes(const sonde_packet_event& event, sonde_transport transport);

/// Bytes in one ring of `rings` in all.
[[nodiscard]] std::size_t ring_bytes(std::uint32_t rings, std::size_t total_bytes);

}  // namespace sonde::packets
