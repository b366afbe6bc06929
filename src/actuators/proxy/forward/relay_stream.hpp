// SPDX-License-Identifier: Apache-2.0
// One direction of a relay: bytes from one channel to another, as far as both go without waiting.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "actuators/proxy/forward/relay_pool.hpp"
#include "actuators/proxy/loop/loop.hpp"

namespace sonde::proxy {

/// Why a stream does not go on.
enum class StreamStep : std::uint8_t {
  waits_to_read,
  waits_to_write,
  ended,           ///< the source has ended and everything has been written
  turn_over,       ///< there is more to do, but others wait
  read_failed,     ///< the source's socket has an error: the peer has reset, or is not there any more
  write_failed,    ///< the same of the destination
  waits_for_path,  ///< a path of the kernel has earlier bytes under way
};

/// What must be asked before a write. Null: nobody.
struct WriteGate {
  KernelRelay* kernel = nullptr;
  Direction direction = Direction::to_upstream;
  [[nodiscard]] bool is_open() const { return kernel == nullptr || kernel->may_write(direction); }
};

/// Sends what a stream that has ended has held back in this socket.
void push_held_back(int fd);

class RelayStream {
 public:
  /// Bytes that go first.
  void hold(std::vector<std::uint8_t> bytes) { held_ = std::move(bytes); }

  /// Moves what it can, at most about half a MiB. Once the end of the source has been read, the last bytes may wait in
  /// the socket of the destination for a FIN (shutdown) or for push_held_back().
  [[nodiscard]] StreamStep pump(Channel& from, Channel& to, RelayPool::State& pool, bool may_splice,
                                const WriteGate& gate);
  /// Writes what it holds; reads nothing. waits_to_read: it holds nothing any more.
  [[nodiscard]] StreamStep flush(Channel& to, const WriteGate& gate);

  [[nodiscard]] bool holds() const { return !held_.empty() || in_pipe_ != 0; }
  /// Bytes read and not yet written.
  [[nodiscard]] std::uint32_t held() const {
    return static_cast<std::uint32_t>(held_.size()) - held_offset_ + in_pipe_;
  }
  /// The end that was read may not have been the end.
  void read_again() { ended_ = false; }
  /// Bytes written to the destination.
  [[nodiscard]] std::uint64_t copied() const { return copied_; }
  [[nodiscard]] std::uint64_t spliced() const { return spliced_; }

 private:
  StreamStep write_held(Channel& to);
  StreamStep write_pipe(Channel& to);
  StreamStep write_buffer(Channel& to, std::span<const std::uint8_t> bytes, const WriteGate& gate);
  /// Into the pipe, or else into the pool's buffer: bytes; 0: there are none, or the stream has ended; -1: failed.
  std::ptrdiff_t read(Channel& from, RelayPool::State& pool, bool may_splice, bool after_splice);
  std::ptrdiff_t read_memory(Channel& from, RelayPool::State& pool);
  ssize_t read_end(Channel& from, std::span<std::uint8_t> buffer);
  [[nodiscard]] int send_flags() const;

  std::vector<std::uint8_t> held_;  ///< from held_offset_ on: read and not yet written
  std::unique_ptr<Pipe> pipe_;      ///< only while there is something in it, or just now
  std::uint64_t copied_ = 0;
  std::uint64_t spliced_ = 0;
  std::uint32_t held_offset_ = 0;
  std::uint32_t in_pipe_ = 0;
  bool ended_ = false;
  bool bulk_ = false;              ///< reads bring enough for a pipe to be worth it
  std::uint8_t pipe_refused_ = 0;  ///< times in a row that splice() did not give what recv() gave
};

}  // namespace sonde::proxy
