// SPDX-License-Identifier: Apache-2.0
// Connections of two requests: the first goes with the ClientHello, the second when the first is answered. Told is the
// time from each request to the first byte of its answer. A proxy that hands a connection over when it begins does so
// within the first.
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "proxy/client_hello.hpp"
#include "proxy/load.hpp"

namespace sonde::bench {
namespace {

using std::chrono::nanoseconds;

struct Asking {
  Fd fd;
  int requests = 0;           ///< that are out
  std::size_t received = 0;   ///< bytes of the answer to the last
  Clock::time_point asked{};  ///< the last
};

class Generator {
 public:
  explicit Generator(const LoadOptions& options)
      : address_(address_of(options.target)),
        first_(client_hello(options.name) + static_cast<char>(Mode::echo) + std::string(message_bytes, 'x')),
        connections_(static_cast<std::size_t>(options.connections)) {
    for (std::size_t i = 0; i < connections_.size(); ++i) open(i);
  }

  void run_until(Clock::time_point end) {
    std::array<epoll_event, 128> events;
    while (true) {
      const auto left = end - Clock::now();
      if (left <= nanoseconds(0)) return;
      const int ready = poll_.wait(events.data(), events.size(), left);
      for (int i = 0; i < ready; ++i) go_on(static_cast<std::size_t>(events[static_cast<std::size_t>(i)].data.u64));
    }
  }

  void forget() { first_answers.clear(), second_answers.clear(); }

  std::vector<nanoseconds> first_answers;
  std::vector<nanoseconds> second_answers;
  std::uint64_t failed = 0;

 private:
  void open(std::size_t index) {
    Asking& connection = connections_[index];
    connection = {Fd(::socket(address_.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)), 0, 0, {}};
    const int fd = connection.fd.get();
    require(static_cast<bool>(connection.fd), "socket");
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    const int connected = ::connect(fd, reinterpret_cast<const sockaddr*>(&address_.storage), address_.size);
    require(connected == 0 || errno == EINPROGRESS, "connect");
    poll_.add(fd, EPOLLIN | EPOLLOUT, index);
  }

  bool ask(Asking& connection, std::string_view request) {
    ++connection.requests;
    connection.received = 0;
    connection.asked = Clock::now();
    return ::send(connection.fd.get(), request.data(), request.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(request.size());
  }

  void go_on(std::size_t index) {
    Asking& connection = connections_[index];
    if (connection.requests == 0) {
      poll_.change(connection.fd.get(), EPOLLIN, index);
      if (!ask(connection, first_)) end(index, false);
      return;
    }
    std::array<char, message_bytes> buffer;
    const ssize_t got = ::recv(connection.fd.get(), buffer.data(), message_bytes - connection.received, 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) return end(index, false);
    if (connection.received == 0)
      (connection.requests == 1 ? first_answers : second_answers).push_back(Clock::now() - connection.asked);
    connection.received += static_cast<std::size_t>(got);
    if (connection.received < message_bytes) return;
    if (connection.requests == 2) return end(index, true);
    if (!ask(connection, std::string_view(first_).substr(first_.size() - message_bytes))) end(index, false);
  }

  void end(std::size_t index, bool good) {
    failed += good ? 0 : 1;
    open(index);  // closes the old one
  }

  Address address_;
  std::string first_;
  Poll poll_;
  std::vector<Asking> connections_;
};

std::string percentiles(const char* name, std::vector<nanoseconds>& values) {
  std::sort(values.begin(), values.end());
  const auto at = [&](double share) {
    return static_cast<double>(
               values[static_cast<std::size_t>(share * static_cast<double>(values.size() - 1))].count()) /
           1000;
  };
  return fmt::format("\"{0}_p50\":{1:.1f},\"{0}_p99\":{2:.1f}", name, at(0.5), at(0.99));
}

}  // namespace

void first_bytes(const LoadOptions& options) {
  Generator generator(options);
  const auto duration = [](double seconds) { return nanoseconds(static_cast<std::int64_t>(seconds * 1e9)); };
  generator.run_until(Clock::now() + duration(options.warm_up));
  generator.forget();
  generator.run_until(Clock::now() + duration(options.seconds));
  auto& first = generator.first_answers;
  auto& second = generator.second_answers;
  if (first.empty() || second.empty()) fail("nothing went through");
  fmt::print("{{\"count\":{},\"seconds\":{:.4f},\"failed\":{},{},{}}}\n", first.size(), options.seconds,
             generator.failed, percentiles("first", first), percentiles("second", second));
}

}  // namespace sonde::bench
