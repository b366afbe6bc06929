// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <vector>

#include "filter/filter.hpp"
#include "sensors/afpacket/chunk.hpp"
#include "sensors/afpacket/packet_socket.hpp"
#include "sensors/afpacket/ring.hpp"

namespace sonde::afpacket {

struct Intake {
  PacketSocket socket;
  Ring ring;
};

/// What one worker reads: a socket with its ring for each interface. fill() and wait() belong to one thread, the rest
/// to the reader of the source.
class Lane {
 public:
  Lane(const filter::CompiledFilter& filter, std::uint32_t snaplen) : filter_(&filter), snaplen_(snaplen) {}

  void add(Intake intake) { intakes_.push_back(std::make_unique<Intake>(std::move(intake))); }

  /// Parses and filters packets of one block into an empty chunk. False: no block is ready.
  bool fill(Chunk& chunk);
  /// Waits until a block may be ready.
  void wait(std::chrono::milliseconds timeout);

  [[nodiscard]] Result<void> accept(LoopbackCopy copy);
  [[nodiscard]] Result<void> reject();
  [[nodiscard]] SocketCounts counts();
  /// The last asynchronous error of a socket, such as ENETDOWN; 0: none.
  [[nodiscard]] int error() const { return error_.load(std::memory_order_relaxed); }
  [[nodiscard]] int any_socket() const { return intakes_.front()->socket.fd(); }

 private:
  // Where fill() stands in a block that did not fit into one chunk.
  struct Cursor {
    Ring* ring = nullptr;
    tpacket_block_desc* block = nullptr;
    tpacket3_hdr* frame = nullptr;
    std::uint32_t left = 0;  // packets
  };
  bool take_block();
  void walk(Chunk& chunk);

  const filter::CompiledFilter* filter_;
  std::uint32_t snaplen_;
  std::vector<std::unique_ptr<Intake>> intakes_;
  std::size_t turn_ = 0;  // the ring that is asked first, so that a busy one does not starve the others
  Cursor cursor_;
  std::atomic<int> error_ = 0;
};

}  // namespace sonde::afpacket
