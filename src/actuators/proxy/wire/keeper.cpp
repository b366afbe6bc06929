// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/wire/keeper.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "actuators/proxy/wire/keeper_walk.hpp"
#include "actuators/proxy/wire/wire_end.hpp"
#include "base/wall_clock.hpp"
#include "kernel/pins.hpp"
#include "kernel/ring_reader.hpp"

namespace sonde::proxy {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto walk_interval = 1s;
constexpr auto abort_interval = 100ms;
// How long ends may be free between the process that held them and this one.
constexpr auto reserve_interval = 20ms;
constexpr auto abort_limit = 30s;
constexpr int changes_at_once = 1024;

struct HandedOver {
  std::uint32_t index;
  std::uint64_t id;
  Fd client, upstream;
  bool observed;
};

}  // namespace

struct WireKeeper::State {
  State(Table& of, const WireLimits& some, WireObserver& observer) : table(of), walk(of, observer), limits(some) {}

  Table& table;
  KeeperWalk walk;  ///< of the thread
  std::optional<kernel::RingReader> changes;
  Fd epoll, wake_fd;
  std::atomic<bool> keeping{false};

  std::mutex mutex;  ///< of what follows
  std::condition_variable done;
  WireLimits limits;
  std::vector<HandedOver> inbox;
  std::uint64_t asked = 0, answered = 0;  ///< walks
  bool aborting = false;
  std::uint32_t aborted = 0;
  bool stands_back = false;
  bool stopped = false;
  std::thread thread;

  Result<void> open();
  void wake() const;
  void run();
  [[nodiscard]] bool keeps();
  [[nodiscard]] std::vector<std::uint32_t> take_inbox();
  void read_changes(const WireLimits& now);
  void wait(Clock::time_point until) const;
  void ask_for_walk(std::unique_lock<std::mutex>& lock);
};

Result<void> WireKeeper::State::open() {
  wake_fd.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake_fd) return fail_errno("eventfd");
  epoll.reset(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) return fail_errno("cannot create an epoll instance");
  for (const int fd : {wake_fd.get(), table.changes_fd()}) {
    epoll_event event{};
    event.events = EPOLLIN | EPOLLET;  // of the ring: woken by a wake-up, not by what lies in it
    event.data.fd = fd;
    if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &event) != 0) return fail_errno("epoll_ctl");
  }
  return {};
}

void WireKeeper::State::wake() const {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_fd.get(), &one, sizeof(one));
}

// The ring has one consumer, who goes on where the keeper before has stopped.
bool WireKeeper::State::keeps() {
  {
    const std::lock_guard lock(mutex);
    if (stands_back) return false;
  }
  keeping = table.keep();
  if (!keeping) return false;
  if (!changes) {
    const auto bytes = kernel::map_entries(table.changes_fd());
    if (!bytes) return true;  // what changes is found by walking
    if (auto reader = kernel::RingReader::make(table.changes_fd(), *bytes)) changes.emplace(std::move(*reader));
  }
  return true;
}

// Some may have ended before they came here, and their change is read already.
std::vector<std::uint32_t> WireKeeper::State::take_inbox() {
  std::vector<HandedOver> handed_over;
  {
    const std::lock_guard lock(mutex);
    handed_over.swap(inbox);
  }
  std::vector<std::uint32_t> indices;
  for (auto& one : handed_over) {
    walk.hold(one.index, one.id, std::move(one.client), std::move(one.upstream), one.observed);
    indices.push_back(one.index);
  }
  return indices;
}

void WireKeeper::State::read_changes(const WireLimits& now) {
  for (int i = 0; changes && i < changes_at_once; ++i) {
    const auto record = changes->peek();
    if (record.empty()) break;
    std::uint32_t index = 0;
    if (record.size() >= sizeof(index)) std::memcpy(&index, record.data(), sizeof(index));
    changes->advance();
    changes->release();
    // The kernel wakes only a reader that has read everything: it must see that before the next look for a record.
    std::atomic_thread_fence(std::memory_order_seq_cst);
    walk.look(index, now);
  }
}

void WireKeeper::State::wait(Clock::time_point until) const {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
  std::array<epoll_event, 2> events{};
  ::epoll_wait(epoll.get(), events.data(), static_cast<int>(events.size()), static_cast<int>(std::max(0L, left)));
  std::uint64_t count = 0;
  [[maybe_unused]] const auto size = ::read(wake_fd.get(), &count, sizeof(count));
}

void WireKeeper::State::run() {
  auto next_walk = Clock::now();
  for (;;) {
    const bool mine = keeps();
    const auto fresh = take_inbox();
    WireLimits now;
    std::uint64_t walk_for = 0;
    bool abort = false;
    {
      const std::lock_guard lock(mutex);
      if (stopped) return;
      now = limits;
      walk_for = asked;
      abort = aborting && mine;
    }
    for (const auto index : fresh)
      if (mine) walk.look(index, now);
    if (mine) read_changes(now);
    const bool reserved = !mine || walk.reserve(1);
    const auto count = abort ? walk.abort_all() : 0;
    if (walk_for != answered || abort || Clock::now() >= next_walk) {
      walk.walk(now, mine);
      next_walk = Clock::now() + walk_interval;
    }
    {
      const std::lock_guard lock(mutex);
      answered = walk_for;
      aborted += count;
      done.notify_all();
    }
    if (abort)
      wait(Clock::now() + abort_interval);
    else
      wait(reserved ? next_walk : Clock::now() + reserve_interval);
  }
}

void WireKeeper::State::ask_for_walk(std::unique_lock<std::mutex>& lock) {
  const auto wanted = ++asked;
  wake();
  done.wait(lock, [&] { return answered >= wanted || stopped; });
}

WireKeeper::WireKeeper(std::unique_ptr<State> state) : state_(std::move(state)) {}

Result<std::unique_ptr<WireKeeper>> WireKeeper::start(Table& table, const WireLimits& limits, WireObserver& observer) {
  auto state = std::make_unique<State>(table, limits, observer);
  if (auto opened = state->open(); !opened) return std::unexpected(opened.error());
  state->walk.begin();
  if (state->keeps()) state->walk.walk(limits, true);  // so that what is there counts before a client is served
  state->thread = std::thread([own = state.get()] { own->run(); });
  return std::unique_ptr<WireKeeper>(new WireKeeper(std::move(state)));
}

WireKeeper::~WireKeeper() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopped = true;
    state_->done.notify_all();
  }
  state_->wake();
  state_->thread.join();
  state_->table.stop_keeping();
}

void WireKeeper::set_limits(const WireLimits& limits) {
  const std::lock_guard lock(state_->mutex);
  state_->limits = limits;
}

bool WireKeeper::keeps() const { return state_->keeping; }

void WireKeeper::add(std::uint32_t index, Fd client, Fd upstream, bool observed) {
  const auto& connection = state_->table.at(index);
  {
    const std::lock_guard lock(state_->mutex);
    state_->inbox.push_back({index, connection.id, std::move(client), std::move(upstream), observed});
  }
  if ((connection.sides[SONDE_WIRE_CLIENT].seen | connection.sides[SONDE_WIRE_UPSTREAM].seen) != 0) state_->wake();
}

void WireKeeper::report() {
  std::unique_lock lock(state_->mutex);
  state_->ask_for_walk(lock);
}

std::uint32_t WireKeeper::abort_all() {
  std::unique_lock lock(state_->mutex);
  if (state_->stands_back || !state_->table.keep()) return 0;
  state_->aborting = true;
  state_->aborted = 0;
  state_->wake();
  const auto is_done = [this] {
    for (std::uint32_t i = 0; i < state_->table.used(); ++i) {
      const auto phase = state_->table.at(i).phase;
      if (phase == SONDE_WIRE_SPLICED || phase == SONDE_WIRE_ABORTED) return state_->stands_back || state_->stopped;
    }
    return true;
  };
  state_->done.wait_for(lock, abort_limit, is_done);
  state_->aborting = false;
  return state_->aborted;
}

void WireKeeper::stand_back() {
  std::unique_lock lock(state_->mutex);
  state_->stands_back = true;
  state_->keeping = false;
  state_->ask_for_walk(lock);  // the thread is done with the table
  state_->keeping = false;     // it may have been about to say so
  state_->table.stop_keeping();
}

std::uint32_t WireKeeper::count() const {
  std::uint32_t count = 0;
  for (std::uint32_t i = 0; i < state_->table.used(); ++i) {
    const auto& connection = state_->table.at(i);
    if (connection.phase == SONDE_WIRE_SPLICED &&
        !end_of(connection, {.idle = {}, .half_closed = {}, .max_age = {}}, 0))
      ++count;
  }
  return count;
}

}  // namespace sonde::proxy
