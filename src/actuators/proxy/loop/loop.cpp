// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/loop/loop.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <utility>

namespace sonde::proxy {
namespace {

// EPOLLPRI: a read stops before an urgent byte, so that a short one may not have emptied the queue.
constexpr std::uint32_t interest = EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP | EPOLLET;
constexpr std::uint64_t wake_token = ~std::uint64_t{0};
constexpr int events_at_once = 256;

}  // namespace

Result<void> Channel::open(Loop& loop, Fd fd) {
  std::uint32_t slot = static_cast<std::uint32_t>(loop.channels_.size());
  if (loop.free_slots_.empty()) {
    loop.channels_.push_back(nullptr);
    loop.generations_.push_back(0);
  } else {
    slot = loop.free_slots_.back();
    loop.free_slots_.pop_back();
  }
  epoll_event event{.events = interest, .data = {.u64 = std::uint64_t{loop.generations_[slot]} << 32 | slot}};
  if (::epoll_ctl(loop.epoll_.get(), EPOLL_CTL_ADD, fd.get(), &event) != 0) {
    loop.free_slots_.push_back(slot);
    return fail_errno("epoll");
  }
  loop.channels_[slot] = this;
  loop_ = &loop;
  slot_ = slot;
  ready_ = EPOLLIN | EPOLLOUT;
  fd_ = std::move(fd);
  return {};
}

void Channel::close() {
  if (!loop_) return;
  loop_->channels_[slot_] = nullptr;
  ++loop_->generations_[slot_];  // events of this batch that name the old one are not for the next
  loop_->free_slots_.push_back(slot_);
  loop_ = nullptr;
  ready_ = 0;
  waker_ = nullptr;
  fd_.reset();
}

Fd Channel::release() {
  Fd fd(fd_.release());
  if (loop_) ::epoll_ctl(loop_->epoll_.get(), EPOLL_CTL_DEL, fd.get(), nullptr);
  close();
  return fd;
}

void Timer::set(Loop& loop, Clock::time_point when) {
  cancel();
  loop_ = &loop;
  // Never early: the tick in which `when` lies must be over.
  tick_ = std::max(loop.tick_of(when) + 1, loop.ticks_done_ + 1);
  loop.add(*this);
}

void Timer::cancel() {
  if (is_set()) loop_->remove(*this);
}

Loop::Loop() : start_(Clock::now()), now_(start_) {
  for (auto& head : wheel_) head.next = head.previous = &head;
}

Loop::~Loop() = default;

Result<std::unique_ptr<Loop>> Loop::make() {
  std::unique_ptr<Loop> loop(new Loop);
  loop->epoll_.reset(::epoll_create1(EPOLL_CLOEXEC));
  if (!loop->epoll_) return fail_errno("epoll");
  loop->wake_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!loop->wake_) return fail_errno("eventfd");
  epoll_event event{.events = EPOLLIN, .data = {.u64 = wake_token}};
  if (::epoll_ctl(loop->epoll_.get(), EPOLL_CTL_ADD, loop->wake_.get(), &event) != 0) return fail_errno("epoll");
  return loop;
}

void Loop::run() {
  while (!stopped_) handle(timeout_ms());
}

void Loop::run_once(std::chrono::milliseconds at_most) {
  const int next = timeout_ms();
  const int most = static_cast<int>(at_most.count());
  handle(next < 0 ? most : std::min(next, most));
}

void Loop::stop() {
  post([this] { stopped_ = true; });
}

void Loop::post(std::function<void()> work) {
  {
    const std::lock_guard lock(mutex_);
    posted_.push_back(std::move(work));
  }
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof(one));  // full: it wakes up anyway
}

void Loop::handle(int timeout_ms) {
  epoll_event events[events_at_once];
  const int count = ::epoll_wait(epoll_.get(), events, events_at_once, timeout_ms);
  now_ = Clock::now();
  for (int i = 0; i < count; ++i) {
    const std::uint64_t token = events[i].data.u64;
    if (token == wake_token) {
      run_posted();
      continue;
    }
    const auto slot = static_cast<std::uint32_t>(token);
    Channel* channel = channels_[slot];
    if (!channel || generations_[slot] != token >> 32) continue;  // closed by an event before it
    channel->ready_ |= events[i].events;
    if (channel->waker_) channel->waker_->wake(*channel);
  }
  run_timers();
  const auto dead = std::exchange(disposed_, {});  // their destructors may dispose of others
}

void Loop::run_posted() {
  std::uint64_t count = 0;
  [[maybe_unused]] const auto size = ::read(wake_.get(), &count, sizeof(count));
  std::vector<std::function<void()>> work;
  {
    const std::lock_guard lock(mutex_);
    work.swap(posted_);
  }
  for (auto& one : work) one();
}

std::uint64_t Loop::tick_of(Clock::time_point when) const {
  return when <= start_ ? 0 : static_cast<std::uint64_t>((when - start_) / tick);
}

void Loop::add(Timer& timer) {
  const std::size_t slot = timer.tick_ % slots;
  TimerLink& head = wheel_[slot];
  timer.next = &head;
  timer.previous = head.previous;
  head.previous->next = &timer;
  head.previous = &timer;
  used_[slot / 64] |= std::uint64_t{1} << slot % 64;
}

void Loop::remove(Timer& timer) {
  timer.previous->next = timer.next;
  timer.next->previous = timer.previous;
  timer.next = timer.previous = nullptr;
  const std::size_t slot = timer.tick_ % slots;
  if (wheel_[slot].next == &wheel_[slot]) used_[slot / 64] &= ~(std::uint64_t{1} << slot % 64);
}

// Of each slot that is over: those whose tick it is fire, those of later rounds stay. An action may set, cancel and
// destroy any timer, so the ring is looked at anew after each.
void Loop::run_timers() {
  const std::uint64_t due = tick_of(now_);
  if (due - ticks_done_ > slots) ticks_done_ = due - slots;
  for (; ticks_done_ < due; ++ticks_done_) {
    const std::size_t slot = (ticks_done_ + 1) % slots;
    for (bool fired = true; fired;) {
      fired = false;
      for (TimerLink* link = wheel_[slot].next; link != &wheel_[slot]; link = link->next) {
        auto& timer = *static_cast<Timer*>(link);
        if (timer.tick_ > due) continue;
        remove(timer);
        timer.action_();
        fired = true;
        break;
      }
    }
  }
}

// -1: no timer. A slot may hold timers of later rounds only; waking up for them costs little.
int Loop::timeout_ms() const {
  for (std::size_t i = 0; i <= slots; i += 1) {
    const std::size_t slot = (ticks_done_ + 1 + i) % slots;
    const std::uint64_t word = used_[slot / 64] >> slot % 64;
    if (word == 0) {
      i += 63 - slot % 64;
      continue;
    }
    const auto ticks = ticks_done_ + 1 + i + static_cast<std::uint64_t>(std::countr_zero(word));
    const auto when = start_ + ticks * tick;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(when - Clock::now()).count();
    return static_cast<int>(std::max<std::int64_t>(left, 0));
  }
  return -1;
}

Loop::AnyAwaiter::AnyAwaiter(Loop& loop, std::span<const Wait> waits, Clock::time_point deadline)
    : loop_(loop), count_(std::min(waits.size(), waits_.size())), deadline_(deadline) {
  std::copy_n(waits.begin(), count_, waits_.begin());
}

int Loop::AnyAwaiter::find_ready() {
  for (std::size_t i = 0; i < count_; ++i)
    if (waits_[i].channel->ready() & (waits_[i].bits | EPOLLERR | EPOLLHUP)) return result_ = static_cast<int>(i);
  return result_ = -1;
}

void Loop::AnyAwaiter::await_suspend(std::coroutine_handle<> waiter) {
  waiter_ = waiter;
  for (std::size_t i = 0; i < count_; ++i) waits_[i].channel->set_waker(this);
  if (deadline_ == never) return;
  timer_.set_action([this] { resume(); });
  timer_.set(loop_, deadline_);
}

void Loop::AnyAwaiter::wake(Channel&) {
  if (find_ready() >= 0) resume();
}

void Loop::AnyAwaiter::leave() {
  if (!waiter_) return;
  for (std::size_t i = 0; i < count_; ++i)
    if (waits_[i].channel->is_open()) waits_[i].channel->set_waker(nullptr);
  timer_.cancel();
  waiter_ = nullptr;
}

// The last thing that is done with the awaiter: the coroutine may end and destroy it.
void Loop::AnyAwaiter::resume() {
  const auto waiter = waiter_;
  leave();
  waiter.resume();
}

}  // namespace sonde::proxy
