// SPDX-License-Identifier: Apache-2.0
// Consumer of BPF ring buffers through their mapping, without a call a record (kernel/bpf/ringbuf.c).
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

#include "sonde/result.hpp"

namespace sonde::kernel {

/// The one reader of one ring. Not thread-safe: a ring has one consumer.
class RingReader {
 public:
  /// Maps the ring; the map may be closed afterwards, the mapping keeps it alive.
  [[nodiscard]] static Result<RingReader> make(int map_fd, std::size_t bytes);

  RingReader(RingReader&& other) noexcept;
  RingReader& operator=(RingReader&& other) noexcept;
  ~RingReader();

  /// The next committed record, without giving its room back; empty when there is none. Discarded records are skipped.
  [[nodiscard]] std::span<const std::uint8_t> peek();
  /// Goes past the record that peek() returned.
  void advance();
  /// Gives the room of all records passed so far back to the kernel: spans to them end here.
  void release();

 private:
  RingReader() = default;
  void unmap();

  std::uint64_t position_ = 0;         ///< next record to look at
  std::uint64_t producer_cached_ = 0;  ///< the producer's position when it was last read
  std::uint32_t record_size_ = 0;      ///< of the record at position_, header and padding included
  std::uint64_t mask_ = 0;
  std::size_t page_ = 0;
  std::uint64_t* consumer_ = nullptr;        ///< shared page: what we gave back
  const std::uint64_t* producer_ = nullptr;  ///< shared page: how far the kernel has reserved
  const std::uint8_t* data_ = nullptr;       ///< the ring, mapped twice in a row, so a record never wraps
};

}  // namespace sonde::kernel
