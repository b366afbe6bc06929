// SPDX-License-Identifier: Apache-2.0
// A ring buffer with its reader, which sleeps while there is little to read.
#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/fd.hpp"
#include "kernel/ring_reader.hpp"
#include "sonde/result.hpp"

namespace sonde::kernel {

/// One ring and its one consumer. Not thread-safe.
class Ring {
 public:
  /// `bytes` is rounded up to a power of two.
  [[nodiscard]] static Result<Ring> make(std::size_t bytes);

  /// For the map of the programs.
  [[nodiscard]] int map_fd() const { return map_.get(); }

  /// Up to `most` records, waiting at most `timeout` for the first one; they are valid until the next read.
  [[nodiscard]] std::span<const std::span<const std::uint8_t>> read(std::size_t most,
                                                                    std::chrono::milliseconds timeout);

 private:
  Ring(Fd map, Fd epoll, RingReader reader)
      : map_(std::move(map)), epoll_(std::move(epoll)), reader_(std::move(reader)) {}
  void fill(std::size_t most);

  Fd map_;
  Fd epoll_;
  RingReader reader_;
  std::vector<std::span<const std::uint8_t>> records_;
};

}  // namespace sonde::kernel
