// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/bypass/pairing.hpp"

#include <utility>

namespace sonde::proxy {
namespace {

// A connection that ends sooner is not worth the path; and by then most programs have set O_NONBLOCK if they ever do.
constexpr std::chrono::steady_clock::duration shortest_life = std::chrono::milliseconds{5};
// Doubled after each try; so who has not accepted the connection, or set O_NONBLOCK, 1.3 s after that is left alone.
constexpr std::chrono::steady_clock::duration longest_delay = std::chrono::milliseconds{640};

}  // namespace

void BypassPairing::rest() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
  stopped_ = false;
}

void BypassPairing::add(std::shared_ptr<BypassedConnection> connection) {
  wait({std::move(connection), shortest_life});
}

void BypassPairing::wait(Waiting waiting) {
  // In steps: under load the thread wakes once for many connections.
  const auto wanted = (Clock::now() + waiting.delay).time_since_epoch();
  const Clock::time_point due((wanted / shortest_life + 1) * shortest_life);
  bool is_first = false;
  {
    const std::lock_guard lock(mutex_);
    if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
    const auto place = waiting_.emplace(due, std::move(waiting));
    is_first = place == waiting_.begin();
  }
  if (is_first) changed_.notify_one();
}

void BypassPairing::run() {
  std::unique_lock lock(mutex_);
  while (!stopped_) {
    if (waiting_.empty()) {
      changed_.wait(lock);
    } else if (const auto due = waiting_.begin()->first; due > Clock::now()) {
      changed_.wait_until(lock, due);
    } else {
      auto next = std::move(waiting_.begin()->second);
      waiting_.erase(waiting_.begin());
      lock.unlock();
      pair(std::move(next));
      lock.lock();
    }
  }
}

void BypassPairing::pair(Waiting next) {
  if (!next.connection->try_pair()) return;
  next.delay *= 2;
  if (next.delay > longest_delay)
    next.connection->give_up();
  else
    wait(std::move(next));
}

}  // namespace sonde::proxy
