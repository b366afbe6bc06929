// SPDX-License-Identifier: Apache-2.0
#include "bad_link.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <mutex>
#include <queue>
#include <random>
#include <system_error>
#include <thread>
#include <vector>

namespace sonde::test {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t longest_frame = 65'536;

Fd tap(const NetworkNamespace& where, const std::string& name) {
  Fd fd;
  where.call([&] {
    fd.reset(::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC));
    ifreq request{};
    name.copy(request.ifr_name, sizeof(request.ifr_name) - 1);
    request.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_NAPI;
    if (!fd || ::ioctl(fd.get(), TUNSETIFF, &request) != 0)
      throw std::system_error(errno, std::generic_category(), "tap " + name);
  });
  // What the thread is too slow for would be lost without being counted.
  where.run(fmt::format("ip link set {} txqueuelen 20000 && ip link set {} up", name, name));
  return fd;
}

bool has_tcp(const std::vector<std::uint8_t>& frame) {
  if (frame.size() < 34) return false;
  const auto type = frame[12] << 8 | frame[13];
  return type == 0x0800 ? frame[23] == 6 : type == 0x86dd && frame[20] == 6;
}

struct Frame {
  Clock::time_point due;
  std::uint64_t order = 0;
  int to = -1;
  std::vector<std::uint8_t> bytes;
  bool operator<(const Frame& other) const {
    return due != other.due ? due > other.due : order > other.order;  // the first on top
  }
};

}  // namespace

struct BadLink::State {
  std::array<Fd, 2> ends;
  std::mutex mutex;  // of the next two
  Badness badness;
  Counts counts;
  std::mt19937 random;
  std::priority_queue<Frame> waiting;
  std::uint64_t order = 0;
  std::atomic<bool> stop = false;
  std::thread thread;

  bool happens(double probability) { return std::uniform_real_distribution<double>(0, 1)(random) < probability; }

  void take(std::vector<std::uint8_t> bytes, int to) {
    const std::lock_guard lock(mutex);
    auto due = Clock::now() + badness.delay;
    const bool tcp = has_tcp(bytes);
    counts.sent += tcp;
    if (tcp && happens(badness.lost)) {
      ++counts.lost;
      return;
    }
    if (tcp && happens(badness.twice)) {
      ++counts.twice;
      waiting.push({due, order++, to, bytes});
    }
    if (tcp && happens(badness.late)) {
      ++counts.late;
      due += badness.later;
    }
    waiting.push({due, order++, to, std::move(bytes)});
  }

  void read_from(int end) {
    constexpr int at_once = 64;
    for (int i = 0; i < at_once; ++i) {
      std::vector<std::uint8_t> bytes(longest_frame);
      const auto size = ::read(ends.at(end).get(), bytes.data(), bytes.size());
      if (size <= 0) return;
      bytes.resize(static_cast<std::size_t>(size));
      bytes.shrink_to_fit();
      take(std::move(bytes), 1 - end);
    }
  }

  void deliver() {
    while (!waiting.empty() && waiting.top().due <= Clock::now()) {
      const auto& frame = waiting.top();
      (void)!::write(ends.at(frame.to).get(), frame.bytes.data(), frame.bytes.size());
      waiting.pop();
    }
  }

  void run() {
    constexpr std::chrono::nanoseconds longest = std::chrono::milliseconds{20};
    while (!stop) {
      auto patience = longest;
      if (!waiting.empty()) patience = std::min<std::chrono::nanoseconds>(longest, waiting.top().due - Clock::now());
      const timespec timeout{0, std::max<std::int64_t>(patience.count(), 0)};
      std::array<pollfd, 2> polled{{{ends[0].get(), POLLIN, 0}, {ends[1].get(), POLLIN, 0}}};
      if (::ppoll(polled.data(), polled.size(), &timeout, nullptr) > 0)
        for (int end = 0; end < 2; ++end)
          if (polled.at(end).revents != 0) read_from(end);
      deliver();
    }
  }
};

BadLink::BadLink(const NetworkNamespace& a, const std::string& name_a, const NetworkNamespace& b,
                 const std::string& name_b, const Badness& badness)
    : state_(std::make_unique<State>()) {
  state_->ends = {tap(a, name_a), tap(b, name_b)};
  state_->badness = badness;
  state_->random.seed(badness.seed);
  state_->thread = std::thread([this] { state_->run(); });
}

BadLink::~BadLink() {
  state_->stop = true;
  state_->thread.join();
}

void BadLink::set(const Badness& badness) {
  const std::lock_guard lock(state_->mutex);
  state_->badness = badness;
}

BadLink::Counts BadLink::counts() const {
  const std::lock_guard lock(state_->mutex);
  return state_->counts;
}

}  // namespace sonde::test
