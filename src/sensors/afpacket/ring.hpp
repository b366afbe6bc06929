// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/if_packet.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "sonde/result.hpp"

namespace sonde::afpacket {

struct RingSize {
  std::uint32_t block_size = 0;
  std::uint32_t block_count = 0;
  std::uint32_t retire_milliseconds = 0;

  /// Blocks for a ring of about `bytes`: large enough for the largest packet, at least four of them.
  [[nodiscard]] static RingSize of(std::uint64_t bytes, std::uint32_t retire_milliseconds);
};

/// Deleter of mapped memory.
struct Unmap {
  std::size_t size = 0;
  void operator()(std::uint8_t* memory) const;
};

/// A TPACKET_V3 receive ring, shared with the kernel: it fills blocks in order, we give them back.
/// One thread takes blocks; any thread may release them, in any order.
class Ring {
 public:
  /// Sets up the ring of `fd`, before the socket is bound.
  [[nodiscard]] static Result<Ring> make(int fd, const RingSize& size);

  /// The next block that the kernel has filled; nullptr: it has not yet, or all blocks are taken and not released.
  [[nodiscard]] tpacket_block_desc* take();
  void release(tpacket_block_desc* block);

 private:
  [[nodiscard]] tpacket_block_desc* block(std::uint32_t index) const;

  RingSize size_;
  std::unique_ptr<std::uint8_t, Unmap> memory_;
  std::unique_ptr<std::atomic<bool>[]> taken_;  // a released block may be in front of one that is still read
  std::uint32_t next_ = 0;
};

}  // namespace sonde::afpacket
