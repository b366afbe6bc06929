// SPDX-License-Identifier: Apache-2.0
// Connections that live for one answer: connect, ClientHello, answer, end.
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <array>
#include <cerrno>

#include "proxy/client_hello.hpp"
#include "proxy/cpu_time.hpp"
#include "proxy/load.hpp"

namespace sonde::bench {
namespace {

struct Short {
  Fd fd;
  bool sent = false;
  std::size_t received = 0;
};

class Generator {
 public:
  explicit Generator(const LoadOptions& options)
      : address_(address_of(options.target)),
        first_(client_hello(options.name) +
               static_cast<char>(options.answer == page_bytes ? Mode::page : Mode::one_shot)),
        answer_(options.answer),
        connections_(static_cast<std::size_t>(options.connections)) {
    for (std::size_t i = 0; i < connections_.size(); ++i) open(i);
  }

  void run_until(Clock::time_point end) {
    std::array<epoll_event, 128> events;
    while (true) {
      const auto left = end - Clock::now();
      if (left <= std::chrono::nanoseconds(0)) return;
      const int ready = poll_.wait(events.data(), events.size(), left);
      for (int i = 0; i < ready; ++i) go_on(static_cast<std::size_t>(events[static_cast<std::size_t>(i)].data.u64));
    }
  }

  [[nodiscard]] std::uint64_t done() const { return done_; }
  [[nodiscard]] std::uint64_t failed() const { return failed_; }

 private:
  void open(std::size_t index) {
    Short& connection = connections_[index];
    connection = {Fd(::socket(address_.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)), false, 0};
    require(static_cast<bool>(connection.fd), "socket");
    const int on = 1;
    ::setsockopt(connection.fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    const int connected =
        ::connect(connection.fd.get(), reinterpret_cast<const sockaddr*>(&address_.storage), address_.size);
    require(connected == 0 || errno == EINPROGRESS, "connect");
    poll_.add(connection.fd.get(), EPOLLIN | EPOLLOUT, index);
  }

  void go_on(std::size_t index) {
    Short& connection = connections_[index];
    if (!connection.sent) {
      connection.sent = true;
      poll_.change(connection.fd.get(), EPOLLIN, index);
      if (::send(connection.fd.get(), first_.data(), first_.size(), MSG_NOSIGNAL) !=
          static_cast<ssize_t>(first_.size()))
        end(index, false);
      return;
    }
    std::array<char, 2048> buffer;
    const ssize_t got = ::recv(connection.fd.get(), buffer.data(), buffer.size(), 0);
    if (got > 0) {
      connection.received += static_cast<std::size_t>(got);
    } else if (got == 0 || errno != EAGAIN) {
      end(index, got == 0 && connection.received == answer_);
    }
  }

  void end(std::size_t index, bool good) {
    ++(good ? done_ : failed_);
    open(index);  // closes the old one
  }

  Address address_;
  std::string first_;
  std::size_t answer_;
  Poll poll_;
  std::vector<Short> connections_;
  std::uint64_t done_ = 0;
  std::uint64_t failed_ = 0;
};

}  // namespace

void short_connections(const LoadOptions& options) {
  Generator generator(options);
  const auto duration = [](double seconds) {
    return std::chrono::nanoseconds(static_cast<std::int64_t>(seconds * 1e9));
  };
  generator.run_until(Clock::now() + duration(options.warm_up));
  const std::uint64_t before = generator.done();
  const CpuTime cpu = cpu_time(options.pids);
  const auto start = Clock::now();
  generator.run_until(start + duration(options.seconds));
  const double took = std::chrono::duration<double>(Clock::now() - start).count();
  const CpuTime used = cpu_time(options.pids) - cpu;
  fmt::print("{{\"count\":{},\"seconds\":{:.4f},\"failed\":{},\"machine_cpu\":{:.3f},\"process_cpu\":{:.3f}}}\n",
             generator.done() - before, took, generator.failed(), used.machine, used.processes);
}

}  // namespace sonde::bench
