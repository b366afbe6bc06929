// SPDX-License-Identifier: Apache-2.0
#include "exchange.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <exception>
#include <map>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <thread>

#include "base/fd.hpp"
#include "base/socket_address.hpp"
#include "conversation.hpp"
#include "stream_bytes.hpp"

namespace sonde::test {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t read_size = 256 << 10;
// Of what a client sends: its sequence numbers come to 2^32 about when it is handed over.
constexpr std::uint32_t wraps_within = 128 << 10;

struct Plan {
  std::uint64_t up = 0, down = 0;
};

std::uint64_t mixed(std::uint64_t value) {
  value = (value + 0x9e3779b97f4a7c15U) * 0xbf58476d1ce4e5b9U;
  return value ^ value >> 31;
}

Plan plan_of(const Exchange& exchange, std::uint64_t number) {
  const auto range = exchange.most - exchange.least + 1;
  return {exchange.least + mixed(2 * number) % range, exchange.least + mixed(2 * number + 1) % range};
}

/// One end of a connection.
struct End {
  Fd fd;
  bool is_client = false;
  std::uint64_t number = 0;
  bool is_known = false;  ///< its number is
  std::vector<std::uint8_t> hello;
  std::uint64_t to_send = 0, to_receive = 0;  ///< behind the hello
  std::size_t hello_sent = 0;
  std::uint64_t sent = 0, received = 0;
  bool is_shut = false, has_ended = false;
  Clock::time_point last = Clock::now();
  Endpoint own;
  std::string failure;

  [[nodiscard]] bool is_done() const { return !failure.empty() || (is_shut && has_ended); }
  [[nodiscard]] std::uint64_t seed_out() const { return 2 * number + !is_client; }
  [[nodiscard]] std::uint64_t seed_in() const { return 2 * number + is_client; }
  [[nodiscard]] std::string text() const {
    return fmt::format("{} of connection {}: sent {} of {}, received {} of {}: {}", is_client ? "client" : "server",
                       number, sent, to_send, received, to_receive, failure);
  }
};

bool is_later(int error) { return error == EAGAIN || error == EINTR || error == ENOTCONN || error == EINPROGRESS; }

void send_more(End& end) {
  while (end.is_known && !end.is_shut) {
    const bool in_hello = end.is_client && end.hello_sent < end.hello.size();
    const auto part =
        in_hello ? Part{end.hello.data() + end.hello_sent, end.hello.size() - end.hello_sent}
                 : stream_part(end.seed_out(), end.sent, std::min<std::uint64_t>(end.to_send - end.sent, read_size));
    if (part.size == 0) {
      ::shutdown(end.fd.get(), SHUT_WR);
      end.is_shut = true;
      return;
    }
    const auto size = ::send(end.fd.get(), part.data, part.size, MSG_NOSIGNAL);
    if (size < 0) {
      if (!is_later(errno)) end.failure = fmt::format("send: {}", std::strerror(errno));
      return;
    }
    (in_hello ? end.hello_sent : end.sent) += static_cast<std::uint64_t>(size);
  }
}

// What is not of the hello.
std::size_t take_hello(End& end, const Exchange& exchange, const std::uint8_t* bytes, std::size_t size) {
  std::size_t used = 0;
  while (!end.is_known && used < size) {
    end.hello.push_back(bytes[used++]);
    if (hello_size(end.hello) != end.hello.size()) continue;
    end.number = hello_number(end.hello);
    const auto plan = plan_of(exchange, end.number);
    end.to_send = plan.down;
    end.to_receive = plan.up;
    end.is_known = true;
    if (end.hello != client_hello(exchange.name, end.number)) end.failure = "another hello";
  }
  return used;
}

void take(End& end, const Exchange& exchange, const std::uint8_t* bytes, std::size_t size) {
  const auto used = take_hello(end, exchange, bytes, size);
  const auto same = matching(end.seed_in(), end.received, bytes + used, size - used);
  end.received += same;
  if (same != size - used && end.failure.empty()) end.failure = fmt::format("byte {} differs", end.received);
  if (end.received > end.to_receive) end.failure = "more than was sent";
}

void receive_more(End& end, const Exchange& exchange, std::vector<std::uint8_t>& buffer,
                  std::chrono::nanoseconds& longest_pause) {
  for (int i = 0; i < 8 && !end.has_ended && end.failure.empty(); ++i) {
    const auto size = ::recv(end.fd.get(), buffer.data(), buffer.size(), 0);
    if (size < 0) {
      if (!is_later(errno)) end.failure = fmt::format("recv: {}", std::strerror(errno));
      return;
    }
    const auto now = Clock::now();
    if (end.received > 0) longest_pause = std::max<std::chrono::nanoseconds>(longest_pause, now - end.last);
    end.last = now;
    if (size > 0) {
      take(end, exchange, buffer.data(), static_cast<std::size_t>(size));
    } else {
      end.has_ended = true;
      if (!end.is_known || end.received != end.to_receive) end.failure = "the stream ended early";
    }
  }
}

/// All ends on one side, on a thread.
class Side {
 public:
  Side(const Exchange& exchange, bool is_client, std::atomic<bool>& stop)
      : exchange_(exchange), is_client_(is_client), stop_(stop), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {}

  void run() {
    if (!is_client_) watch(listener_.get(), nullptr);
    while (finished_ < exchange_.connections && !stop_) {
      while (is_client_ && begun_ < exchange_.connections && ends_.size() < exchange_.at_once) connect_one();
      wait();
      find_stuck();
    }
  }

  void listen() {
    if (exchange_.listening >= 0) {
      listener_.reset(::fcntl(exchange_.listening, F_DUPFD_CLOEXEC, 0));
      return;
    }
    const SocketAddress address(exchange_.listener);
    listener_.reset(::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    const int one = 1;
    ::setsockopt(listener_.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (::bind(listener_.get(), address.get(), address.size()) != 0 || ::listen(listener_.get(), 4096) != 0)
      throw std::runtime_error(fmt::format("listen: {}", std::strerror(errno)));
  }

  std::map<std::uint64_t, Exchanged::Connection> whole;  ///< by number; `up` or `down` as this side has received
  std::vector<std::string> failures;
  std::chrono::nanoseconds longest_pause{0};

 private:
  void watch(int fd, End* end) {
    epoll_event event{};
    event.events = end == nullptr ? EPOLLIN : static_cast<std::uint32_t>(EPOLLIN | EPOLLOUT | EPOLLET);
    event.data.ptr = end;
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event);
  }

  End& add(Fd fd) {
    auto end = std::make_unique<End>();
    end->fd = std::move(fd);
    end->is_client = is_client_;
    auto& added = *end;
    ends_.emplace(&added, std::move(end));
    watch(added.fd.get(), &added);
    return added;
  }

  void connect_one() {
    const SocketAddress address(exchange_.proxy);
    Fd fd(::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    begin_at(fd.get(), static_cast<std::uint32_t>(0 - mixed(begun_) % wraps_within));
    const int result = ::connect(fd.get(), address.get(), address.size());
    const bool failed = result != 0 && errno != EINPROGRESS;
    const auto number = begun_++;
    const auto plan = plan_of(exchange_, number);
    auto& end = add(std::move(fd));
    end.number = number;
    end.is_known = true;
    end.hello = client_hello(exchange_.name, number);
    end.to_send = plan.up;
    end.to_receive = plan.down;
    end.own = local_endpoint(end.fd.get());
    if (failed) end.failure = fmt::format("connect: {}", std::strerror(errno));
    if (failed) finish(end);
  }

  void accept_all() {
    pollfd waiting{listener_.get(), POLLIN, 0};  // it may be one that blocks
    while (::poll(&waiting, 1, 0) > 0) {
      Fd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (!fd) return;
      add(std::move(fd));
    }
  }

  void wait() {
    std::array<epoll_event, 64> events{};
    const int count = ::epoll_wait(epoll_.get(), events.data(), events.size(), 100);
    for (int i = 0; i < count; ++i) {
      auto* const end = static_cast<End*>(events.at(static_cast<std::size_t>(i)).data.ptr);
      if (end == nullptr) {
        accept_all();
      } else {
        work(*end);
      }
    }
    // Those whose turn was cut short; they are not told of again.
    const auto again = std::move(unfinished_);
    unfinished_.clear();
    for (auto* const end : again)
      if (ends_.contains(end)) work(*end);
  }

  void work(End& end) {
    const auto before = end.received;
    send_more(end);
    if (end.failure.empty()) receive_more(end, exchange_, buffer_, longest_pause);
    send_more(end);  // the server knows how much once it has the hello
    if (end.is_done()) {
      finish(end);
    } else if (end.received != before) {
      unfinished_.push_back(&end);
    }
  }

  void finish(End& end) {
    ++finished_;
    if (end.failure.empty()) {
      whole[end.number] = {end.own, is_client_ ? 0 : end.hello.size() + end.received, is_client_ ? end.received : 0};
    } else {
      failures.push_back(end.text());
    }
    ends_.erase(&end);
  }

  void find_stuck() {
    const auto now = Clock::now();
    std::vector<End*> stuck;
    for (const auto& [end, owned] : ends_)
      if (now - end->last > exchange_.patience) stuck.push_back(end);
    for (auto* const end : stuck) {
      end->failure = exchange_.look ? "stuck\n" + exchange_.look() : "stuck";
      finish(*end);
    }
  }

  const Exchange& exchange_;
  bool is_client_;
  std::atomic<bool>& stop_;
  Fd epoll_;
  Fd listener_;
  std::map<End*, std::unique_ptr<End>> ends_;
  std::vector<End*> unfinished_;
  std::size_t begun_ = 0, finished_ = 0;
  std::vector<std::uint8_t> buffer_ = std::vector<std::uint8_t>(read_size);
};

}  // namespace

std::uint64_t Exchanged::up() const {
  return std::accumulate(connections.begin(), connections.end(), std::uint64_t{0},
                         [](auto sum, const auto& connection) { return sum + connection.up; });
}

std::uint64_t Exchanged::down() const {
  return std::accumulate(connections.begin(), connections.end(), std::uint64_t{0},
                         [](auto sum, const auto& connection) { return sum + connection.down; });
}

std::string Exchanged::text() const {
  auto text = fmt::format("{} whole, {} up, {} down, longest pause {} ms, {} failures", connections.size(), up(),
                          down(), static_cast<double>(longest_pause.count()) / 1e6, failures.size());
  for (std::size_t i = 0; i < failures.size() && i < 20; ++i) text += "\n" + failures[i];
  return text;
}

Exchanged run_exchange(const Exchange& exchange) {
  std::atomic<bool> stop = false;
  Side clients(exchange, true, stop), server(exchange, false, stop);
  exchange.server.call([&] { server.listen(); });
  std::thread of_server([&] { exchange.server.call([&] { server.run(); }); });
  std::exception_ptr thrown;
  try {
    exchange.client.call([&] { clients.run(); });
  } catch (...) {
    thrown = std::current_exception();
  }
  // A connection that never came to the server is a failure of the client's already.
  if (!clients.failures.empty() && exchange.may_fail) std::this_thread::sleep_for(std::chrono::seconds{1});
  if (!clients.failures.empty() || thrown) stop = true;
  of_server.join();
  if (thrown) std::rethrow_exception(thrown);
  Exchanged result;
  result.failures = std::move(clients.failures);
  result.failures.insert(result.failures.end(), server.failures.begin(), server.failures.end());
  result.longest_pause = std::max(clients.longest_pause, server.longest_pause);
  for (auto& [number, connection] : clients.whole) {
    const auto other = server.whole.find(number);
    if (other == server.whole.end()) continue;
    connection.up = other->second.up;
    result.connections.push_back(connection);
  }
  return result;
}

}  // namespace sonde::test
