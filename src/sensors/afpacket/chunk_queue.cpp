// SPDX-License-Identifier: Apache-2.0
#include "sensors/afpacket/chunk_queue.hpp"

namespace sonde::afpacket {

ChunkQueue::ChunkQueue(std::size_t chunks) {
  for (std::size_t i = 0; i < chunks; ++i) {
    chunks_.push_back(std::make_unique<Chunk>());
    empty_.push_back(chunks_.back().get());
  }
}

Chunk* ChunkQueue::take_empty(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  if (!emptied_.wait(lock, stop, [this] { return !empty_.empty(); })) return nullptr;
  Chunk* chunk = empty_.back();
  empty_.pop_back();
  return chunk;
}

void ChunkQueue::put_full(Chunk* chunk) {
  {
    const std::scoped_lock lock(mutex_);
    full_.push_back(chunk);
  }
  filled_.notify_one();
}

Chunk* ChunkQueue::take_full(std::chrono::milliseconds timeout) {
  std::unique_lock lock(mutex_);
  if (!filled_.wait_for(lock, timeout, [this] { return !full_.empty(); })) return nullptr;
  Chunk* chunk = full_.front();
  full_.pop_front();
  return chunk;
}

void ChunkQueue::put_empty(Chunk* chunk) {
  chunk->clear();
  {
    const std::scoped_lock lock(mutex_);
    empty_.push_back(chunk);
  }
  emptied_.notify_one();
}

}  // namespace sonde::afpacket
