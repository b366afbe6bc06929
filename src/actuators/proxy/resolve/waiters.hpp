// SPDX-License-Identifier: Apache-2.0
// Coroutines that wait for the same addresses.
#pragma once
#include <coroutine>
#include <memory>

#include "actuators/proxy/loop/loop.hpp"
#include "actuators/proxy/resolve/resolver.hpp"

namespace sonde::proxy {

class Waiter;

/// A ring of those who wait; each takes itself out when it is destroyed.
class Waiters {
 public:
  Waiters() = default;
  Waiters(const Waiters&) = delete;

  /// Each goes on with this. The caller keeps this object alive, whatever they do; who comes meanwhile is told too.
  void tell(const Result<Addresses>& result);

 private:
  friend class Waiter;
  Waiter* first_ = nullptr;
};

/// co_await it once: what tell() gave, or `late` when the deadline has passed. Outlived by its Waiters while it waits.
class Waiter {
 public:
  Waiter(Loop& loop, Waiters& waiters, Clock::time_point deadline, std::unexpected<Error> late);
  Waiter(const Waiter&) = delete;
  ~Waiter() { leave(); }

  [[nodiscard]] static bool await_ready() { return false; }
  void await_suspend(std::coroutine_handle<> handle);
  Result<Addresses> await_resume() { return std::move(result_); }

 private:
  friend class Waiters;
  void leave();
  void resume();

  Loop& loop_;
  Waiters& waiters_;
  Clock::time_point deadline_;
  Result<Addresses> result_;  ///< `late` until it is told
  Timer timer_;
  std::coroutine_handle<> handle_;
  Waiter* next_ = nullptr;
  Waiter* previous_ = nullptr;
};

}  // namespace sonde::proxy
