// SPDX-License-Identifier: Apache-2.0
// Requests at a given rate, evenly spaced. The latency of a request counts from when it was due, not from when it was
// sent: what a slow answer delays is as late as it is.
#include <fmt/format.h>
#include <sys/prctl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <deque>

#include "proxy/client_hello.hpp"
#include "proxy/load.hpp"

namespace sonde::bench {
namespace {

using std::chrono::nanoseconds;

struct Pending {
  Fd fd;
  std::deque<Clock::time_point> due;  ///< requests that are out or unsent, in order
  std::size_t unsent = 0;             ///< bytes
  std::size_t received = 0;           ///< bytes of the oldest one's answer
};

class OpenLoop {
 public:
  explicit OpenLoop(const LoadOptions& options) : interval_(static_cast<std::int64_t>(1e9 / options.rate)) {
    const Address address = address_of(options.target);
    const std::string hello = client_hello(options.name);
    for (int i = 0; i < options.connections; ++i) {
      connections_.push_back({open_connection(address, hello, Mode::echo), {}, 0, 0});
      set_nonblocking(connections_.back().fd.get());
      poll_.add(connections_.back().fd.get(), EPOLLIN, static_cast<std::uint64_t>(i));
    }
  }

  // Requests of [from, until); those due before `counted_from` are warm-up. Then waits at most a second for answers.
  void run(Clock::time_point from, Clock::time_point counted_from, Clock::time_point until) {
    counted_from_ = counted_from;
    auto next = from;
    while (true) {
      const auto now = Clock::now();
      for (; next <= now && next < until; next += interval_) {
        request(next);
        if (next >= counted_from) ++counted_;
      }
      if (now >= until && (outstanding_ == 0 || now >= until + std::chrono::seconds(1))) break;
      receive(std::min<nanoseconds>(next < until ? next - now : nanoseconds(1'000'000), nanoseconds(1'000'000)));
    }
    for (const Pending& connection : connections_)
      for (const auto due : connection.due)
        if (due >= counted_from) latencies_.push_back(Clock::now() - due);  // at least
  }

  [[nodiscard]] std::vector<nanoseconds> sorted() {
    std::sort(latencies_.begin(), latencies_.end());
    return latencies_;
  }
  [[nodiscard]] std::uint64_t counted() const { return counted_; }
  [[nodiscard]] std::uint64_t outstanding() const { return outstanding_; }

 private:
  void request(Clock::time_point due) {
    Pending& connection = connections_[turn_++ % connections_.size()];
    connection.due.push_back(due);
    connection.unsent += message_bytes;
    ++outstanding_;
    send_more(connection);
  }

  static void send_more(Pending& connection) {
    const std::array<char, 4096> zeros{};
    while (connection.unsent > 0) {
      const ssize_t sent =
          ::send(connection.fd.get(), zeros.data(), std::min(connection.unsent, zeros.size()), MSG_NOSIGNAL);
      if (sent < 0) return require(errno == EAGAIN, "send");  // tried again with the next request
      connection.unsent -= static_cast<std::size_t>(sent);
    }
  }

  void receive(nanoseconds timeout) {
    std::array<epoll_event, 128> events;
    const int ready = poll_.wait(events.data(), events.size(), timeout);
    for (int i = 0; i < ready; ++i) {
      Pending& connection = connections_[static_cast<std::size_t>(events[static_cast<std::size_t>(i)].data.u64)];
      std::array<char, 16384> buffer;
      const ssize_t got = ::recv(connection.fd.get(), buffer.data(), buffer.size(), 0);
      if (got == 0) fail("a connection ended");
      require(got > 0 || errno == EAGAIN, "recv");
      if (got < 0) continue;
      const auto now = Clock::now();
      connection.received += static_cast<std::size_t>(got);
      for (; connection.received >= message_bytes; connection.received -= message_bytes) answered(connection, now);
    }
  }

  void answered(Pending& connection, Clock::time_point now) {
    if (connection.due.front() >= counted_from_) latencies_.push_back(now - connection.due.front());
    connection.due.pop_front();
    --outstanding_;
  }

  nanoseconds interval_;
  Poll poll_;
  std::vector<Pending> connections_;
  std::vector<nanoseconds> latencies_;
  Clock::time_point counted_from_;
  std::size_t turn_ = 0;
  std::uint64_t outstanding_ = 0;
  std::uint64_t counted_ = 0;
};

double microseconds(const std::vector<nanoseconds>& sorted, double share) {
  const auto index = static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1));
  return static_cast<double>(sorted[index].count()) / 1000;
}

}  // namespace

void open_loop(const LoadOptions& options) {
  ::prctl(PR_SET_TIMERSLACK, 1UL);  // nanosecond; the default would make every request 50 us late
  OpenLoop loop(options);
  const auto duration = [](double seconds) { return nanoseconds(static_cast<std::int64_t>(seconds * 1e9)); };
  const auto start = Clock::now() + std::chrono::milliseconds(10);
  const auto counted_from = start + duration(options.warm_up);
  loop.run(start, counted_from, counted_from + duration(options.seconds));
  const auto sorted = loop.sorted();
  if (sorted.empty()) fail("nothing went through");
  fmt::print("{{\"count\":{},\"unanswered\":{},\"p50\":{:.1f},\"p90\":{:.1f},\"p99\":{:.1f},\"p999\":{:.1f}}}\n",
             loop.counted(), loop.outstanding(), microseconds(sorted, 0.5), microseconds(sorted, 0.9),
             microseconds(sorted, 0.99), microseconds(sorted, 0.999));
}

}  // namespace sonde::bench
