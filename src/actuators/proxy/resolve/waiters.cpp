// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/resolve/waiters.hpp"

#include <utility>

namespace sonde::proxy {

void Waiters::tell(const Result<Addresses>& result) {
  while (first_) {
    first_->result_ = result;
    first_->resume();
  }
}

Waiter::Waiter(Loop& loop, Waiters& waiters, Clock::time_point deadline, std::unexpected<Error> late)
    : loop_(loop), waiters_(waiters), deadline_(deadline), result_(std::move(late)) {}

void Waiter::await_suspend(std::coroutine_handle<> handle) {
  handle_ = handle;
  next_ = waiters_.first_;
  if (next_) next_->previous_ = this;
  waiters_.first_ = this;
  timer_.set_action([this] { resume(); });
  timer_.set(loop_, deadline_);
}

void Waiter::leave() {
  if (!handle_) return;
  (previous_ ? previous_->next_ : waiters_.first_) = next_;
  if (next_) next_->previous_ = previous_;
  next_ = previous_ = nullptr;
  handle_ = nullptr;
  timer_.cancel();
}

// The last thing that is done with the waiter: the coroutine may end and destroy it.
void Waiter::resume() {
  const auto handle = handle_;
  leave();
  handle.resume();
}

}  // namespace sonde::proxy
