// SPDX-License-Identifier: Apache-2.0
// What the relays of one worker share: a buffer, pipes, and turns for those that have more to do than one turn allows.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "actuators/proxy/forward/relay.hpp"
#include "actuators/proxy/loop/loop.hpp"
#include "base/fd.hpp"

namespace sonde::proxy {

struct Pipe {
  Fd reader;
  Fd writer;
  std::size_t capacity = 0;  ///< bytes
};

/// Something that waits for its next turn. Destroying it takes it out of the queue.
class Turn {
 public:
  Turn() = default;
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  virtual ~Turn() { leave(); }
  /// May destroy any turn, this one too.
  virtual void run_turn() = 0;

  void leave();
  [[nodiscard]] bool is_waiting() const { return next_ != nullptr; }

 private:
  friend class TurnQueue;
  Turn* next_ = nullptr;  ///< a ring
  Turn* previous_ = nullptr;
};

/// Runs what waits after the events of the current batch, each once, so that no connection holds the loop.
class TurnQueue : public std::enable_shared_from_this<TurnQueue> {
 public:
  explicit TurnQueue(Loop& loop) : loop_(loop) {}
  ~TurnQueue();
  void add(Turn& turn);

 private:
  struct End final : Turn {
    void run_turn() override {}
  };
  void run();

  Loop& loop_;
  End end_;   ///< where the ring begins and ends
  End mark_;  ///< behind those whose turn it is
  bool posted_ = false;
};

struct RelayPool::State {
  explicit State(Loop& loop) : turns(std::make_shared<TurnQueue>(loop)) {}

  /// An empty pipe, or null: no more are to be had, or only such as are not worth it. On the loop's thread.
  [[nodiscard]] std::unique_ptr<Pipe> take_pipe();
  /// It must be empty.
  void give_pipe(std::unique_ptr<Pipe> pipe);
  /// Of one read, for bytes that are written at once.
  [[nodiscard]] std::span<std::uint8_t> buffer() { return buffer_; }

  std::shared_ptr<TurnQueue> turns;

 private:
  [[nodiscard]] static std::unique_ptr<Pipe> make_pipe();

  std::array<std::uint8_t, 65'536> buffer_{};
  std::vector<std::unique_ptr<Pipe>> pipes_;
  Clock::time_point retry_;  ///< no pipe could be had; not tried again until then
  bool signal_blocked_ = false;
};

}  // namespace sonde::proxy
