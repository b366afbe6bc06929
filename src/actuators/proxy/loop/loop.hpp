// SPDX-License-Identifier: Apache-2.0
// The event loop of a worker: edge-triggered epoll, timers, and what coroutines wait on. One thread each; nothing here
// is shared but post().
#pragma once
#include <sys/epoll.h>

#include <array>
#include <chrono>
#include <coroutine>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "base/fd.hpp"
#include "sonde/result.hpp"

namespace sonde::proxy {

using Clock = std::chrono::steady_clock;

class Loop;
class Channel;

/// What is told when a channel has become ready.
class Waker {
 public:
  virtual ~Waker() = default;
  virtual void wake(Channel& channel) = 0;
};

/// A descriptor in the loop: registered once for both directions, edge-triggered, so that waiting costs no system call.
/// A bit of ready() stays until somebody has met EAGAIN and cleared it. Closing the descriptor takes it out of the
/// loop.
class Channel {
 public:
  Channel() = default;
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;
  ~Channel() { close(); }

  /// Takes the descriptor, which must not block. EPOLLIN and EPOLLOUT count as ready until they prove otherwise.
  Result<void> open(Loop& loop, Fd fd);
  /// Closes the descriptor. Safe while the loop hands out events.
  void close();
  /// The descriptor, out of the loop. The channel is closed then.
  Fd release();

  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] bool is_open() const { return static_cast<bool>(fd_); }
  /// EPOLLIN, EPOLLOUT, EPOLLPRI, EPOLLRDHUP, EPOLLHUP, EPOLLERR as epoll(7) has them.
  [[nodiscard]] std::uint32_t ready() const { return ready_; }
  void clear(std::uint32_t bits) { ready_ &= ~bits; }
  /// These count as ready until they prove otherwise: a call has told of an event that epoll has not yet.
  void suppose(std::uint32_t bits) { ready_ |= bits; }
  /// Who is told of new bits; null: nobody, they are kept.
  void set_waker(Waker* waker) { waker_ = waker; }

 private:
  friend class Loop;
  Fd fd_;
  std::uint32_t ready_ = 0;
  std::uint32_t slot_ = 0;
  Loop* loop_ = nullptr;
  Waker* waker_ = nullptr;
};

/// In the ring of a slot of the timer wheel; alone: in none.
struct TimerLink {
  TimerLink* next = nullptr;
  TimerLink* previous = nullptr;
};

/// Fires once, never early, at most 20 ms late. Setting it again moves it. Destroying it cancels it.
class Timer : private TimerLink {
 public:
  explicit Timer(std::function<void()> action = {}) : action_(std::move(action)) {}
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer() { cancel(); }

  void set_action(std::function<void()> action) { action_ = std::move(action); }
  void set(Loop& loop, Clock::time_point when);
  void cancel();
  [[nodiscard]] bool is_set() const { return next != nullptr; }

 private:
  friend class Loop;
  Loop* loop_ = nullptr;
  std::uint64_t tick_ = 0;  ///< when it fires
  std::function<void()> action_;
};

/// What is waited for in Loop::any().
struct Wait {
  Channel* channel;
  std::uint32_t bits;  ///< any of these; EPOLLERR and EPOLLHUP always count
};

class Loop {
 public:
  [[nodiscard]] static Result<std::unique_ptr<Loop>> make();
  ~Loop();

  /// Handles events until stop(). The thread that calls it is the loop's.
  void run();
  /// Handles what is there, or comes within `at_most`. For tests.
  void run_once(std::chrono::milliseconds at_most);
  /// Ends run() after the current batch. Any thread.
  void stop();
  /// Runs it on the loop's thread. Any thread.
  void post(std::function<void()> work);
  /// Destroys the object after the current batch of events. For what destroys itself in its own wake().
  template <class T>
  void dispose(std::unique_ptr<T> object) {
    disposed_.emplace_back(std::shared_ptr<void>(std::move(object)));
  }

  /// Time at the start of the current batch.
  [[nodiscard]] Clock::time_point now() const { return now_; }

  static constexpr Clock::time_point never = Clock::time_point::max();

  /// co_await loop.ready(channel, EPOLLIN, deadline): false: the deadline has passed. Bits that are set already do not
  /// wait. One waiter a channel.
  [[nodiscard]] auto ready(Channel& channel, std::uint32_t bits, Clock::time_point deadline = never);
  /// co_await loop.any(waits, deadline): index of the first that is ready; -1: the deadline has passed. At most 8.
  [[nodiscard]] auto any(std::span<const Wait> waits, Clock::time_point deadline = never);
  /// co_await loop.sleep(duration)
  [[nodiscard]] auto sleep_until(Clock::time_point deadline);

 private:
  friend class Channel;
  friend class Timer;
  class AnyAwaiter;

  Loop();
  void add(Timer& timer);
  void remove(Timer& timer);
  void handle(int timeout_ms);
  void run_timers();
  void run_posted();
  [[nodiscard]] int timeout_ms() const;
  [[nodiscard]] std::uint64_t tick_of(Clock::time_point when) const;

  static constexpr std::size_t slots = 1024;  // of 16 ms
  static constexpr std::chrono::milliseconds tick{16};

  Fd epoll_;
  Fd wake_;  ///< eventfd
  Clock::time_point start_;
  Clock::time_point now_;
  std::uint64_t ticks_done_ = 0;
  std::array<TimerLink, slots> wheel_;            ///< heads of rings
  std::array<std::uint64_t, slots / 64> used_{};  ///< a bit a slot: its ring is not empty
  std::vector<Channel*> channels_;                ///< by slot; what an event of epoll names
  std::vector<std::uint32_t> free_slots_;
  std::vector<std::uint32_t> generations_;
  std::vector<std::shared_ptr<void>> disposed_;
  std::mutex mutex_;
  std::vector<std::function<void()>> posted_;
  bool stopped_ = false;
};

/// Waits on several channels; also what ready() and sleep_until() are made of. Destroying it while it waits is safe.
class Loop::AnyAwaiter : public Waker {
 public:
  AnyAwaiter(Loop& loop, std::span<const Wait> waits, Clock::time_point deadline);
  AnyAwaiter(const AnyAwaiter&) = delete;
  ~AnyAwaiter() override { leave(); }

  bool await_ready() { return find_ready() >= 0; }
  void await_suspend(std::coroutine_handle<> waiter);
  [[nodiscard]] int await_resume() const { return result_; }

  void wake(Channel& channel) override;

 private:
  int find_ready();
  void leave();
  void resume();

  Loop& loop_;
  std::array<Wait, 8> waits_{};
  std::size_t count_ = 0;
  Clock::time_point deadline_;
  std::coroutine_handle<> waiter_;
  Timer timer_;
  int result_ = -1;
};

inline auto Loop::any(std::span<const Wait> waits, Clock::time_point deadline) {
  return AnyAwaiter(*this, waits, deadline);
}

inline auto Loop::ready(Channel& channel, std::uint32_t bits, Clock::time_point deadline) {
  struct Awaiter : AnyAwaiter {
    using AnyAwaiter::AnyAwaiter;
    [[nodiscard]] bool await_resume() const { return AnyAwaiter::await_resume() >= 0; }
  };
  const Wait wait{&channel, bits};
  return Awaiter(*this, {&wait, 1}, deadline);
}

inline auto Loop::sleep_until(Clock::time_point deadline) { return AnyAwaiter(*this, {}, deadline); }

}  // namespace sonde::proxy
