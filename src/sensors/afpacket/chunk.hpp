// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/if_packet.h>

#include <array>
#include <cstdint>

#include "pipeline/source.hpp"
#include "sensors/afpacket/ring.hpp"

namespace sonde::afpacket {

/// Finished packets of one block of a ring, their bytes still in it.
struct Chunk {
  pipeline::PacketBatch batch;
  std::array<sonde_packet_event, pipeline::PacketBatch::capacity> events;
  std::uint64_t walked = 0;  ///< packets that were looked at to fill the batch
  Ring* ring = nullptr;
  tpacket_block_desc* last_of = nullptr;  ///< the block, if its last packet is in here; released with the chunk

  /// The packets are not needed any more.
  void clear() {
    if (last_of != nullptr) ring->release(last_of);
    last_of = nullptr;
    batch.size = 0;
    walked = 0;
  }
};

}  // namespace sonde::afpacket
