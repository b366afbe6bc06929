// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <stop_token>
#include <vector>

#include "sensors/afpacket/chunk.hpp"

namespace sonde::afpacket {

/// A fixed number of chunks that go round between workers and reader. When the reader holds them up, workers wait for
/// an empty one, and the packets stay in the rings.
class ChunkQueue {
 public:
  explicit ChunkQueue(std::size_t chunks);

  /// An empty chunk; nullptr when asked to stop.
  [[nodiscard]] Chunk* take_empty(const std::stop_token& stop);
  void put_full(Chunk* chunk);

  /// The next full chunk; nullptr after the timeout.
  [[nodiscard]] Chunk* take_full(std::chrono::milliseconds timeout);
  /// Clears the chunk.
  void put_empty(Chunk* chunk);

 private:
  std::vector<std::unique_ptr<Chunk>> chunks_;
  std::mutex mutex_;
  std::condition_variable_any emptied_;
  std::condition_variable filled_;
  std::vector<Chunk*> empty_;
  std::deque<Chunk*> full_;
};

}  // namespace sonde::afpacket
