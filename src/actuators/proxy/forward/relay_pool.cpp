// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/forward/relay_pool.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <utility>

namespace sonde::proxy {
namespace {

// A user without CAP_SYS_RESOURCE may hold fs.pipe-user-pages-soft pages of pipes (64 MiB), by the size that they could
// take, and gets pipes of two pages from then on.
constexpr int wanted_capacity = 1 << 20;
constexpr int modest_capacity = 1 << 18;
constexpr std::size_t least_capacity = 1 << 16;  ///< below that copying costs less
constexpr std::size_t pipes_kept = 16;
constexpr std::chrono::seconds patience{1};

}  // namespace

void Turn::leave() {
  if (!next_) return;
  previous_->next_ = next_;
  next_->previous_ = previous_;
  next_ = previous_ = nullptr;
}

TurnQueue::~TurnQueue() {
  while (end_.next_ && end_.next_ != &end_) end_.next_->leave();
}

void TurnQueue::add(Turn& turn) {
  if (turn.is_waiting()) return;
  if (!end_.next_) end_.next_ = end_.previous_ = &end_;
  turn.next_ = &end_;
  turn.previous_ = end_.previous_;
  end_.previous_->next_ = &turn;
  end_.previous_ = &turn;
  if (std::exchange(posted_, true)) return;
  loop_.post([queue = weak_from_this()] {
    if (const auto here = queue.lock()) here->run();
  });
}

// Those that are added meanwhile have their turn after the loop has looked for events.
void TurnQueue::run() {
  posted_ = false;
  mark_.next_ = &end_;
  mark_.previous_ = end_.previous_;
  end_.previous_->next_ = &mark_;
  end_.previous_ = &mark_;
  while (end_.next_ != &mark_) {
    Turn& turn = *end_.next_;
    turn.leave();
    turn.run_turn();
  }
  mark_.leave();
}

std::unique_ptr<Pipe> RelayPool::State::take_pipe() {
  // splice() into a socket that the peer has reset raises SIGPIPE in this thread; it has no MSG_NOSIGNAL.
  if (!std::exchange(signal_blocked_, true)) {
    sigset_t signals;
    ::sigemptyset(&signals);
    ::sigaddset(&signals, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  }
  if (!pipes_.empty()) {
    auto pipe = std::move(pipes_.back());
    pipes_.pop_back();
    return pipe;
  }
  if (retry_ != Clock::time_point{} && Clock::now() < retry_) return nullptr;
  auto pipe = make_pipe();
  retry_ = pipe ? Clock::time_point{} : Clock::now() + patience;
  return pipe;
}

void RelayPool::State::give_pipe(std::unique_ptr<Pipe> pipe) {
  if (pipes_.size() < pipes_kept) pipes_.push_back(std::move(pipe));
}

std::unique_ptr<Pipe> RelayPool::State::make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return nullptr;
  auto pipe = std::make_unique<Pipe>(Pipe{Fd(ends[0]), Fd(ends[1]), 0});
  int capacity = ::fcntl(ends[0], F_SETPIPE_SZ, wanted_capacity);
  if (capacity < 0) capacity = ::fcntl(ends[0], F_SETPIPE_SZ, modest_capacity);
  if (capacity < 0) capacity = ::fcntl(ends[0], F_GETPIPE_SZ);
  if (capacity < 0 || static_cast<std::size_t>(capacity) < least_capacity) return nullptr;
  pipe->capacity = static_cast<std::size_t>(capacity);
  return pipe;
}

RelayPool::RelayPool(Loop& loop) : state_(std::make_unique<State>(loop)) {}
RelayPool::~RelayPool() = default;

}  // namespace sonde::proxy
