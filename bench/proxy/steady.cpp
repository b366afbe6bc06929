// SPDX-License-Identifier: Apache-2.0
// Loads over connections that stay.
#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <span>

#include "proxy/client_hello.hpp"
#include "proxy/cpu_time.hpp"
#include "proxy/load.hpp"

namespace sonde::bench {
namespace {

struct Opened {
  Poll poll;
  std::vector<Fd> sockets;
};

Opened open_all(const LoadOptions& options, Mode mode, std::uint32_t events) {
  Opened opened;
  const Address address = address_of(options.target);
  const std::string hello = client_hello(options.name);
  for (int i = 0; i < options.connections; ++i) {
    opened.sockets.push_back(open_connection(address, hello, mode));
    set_nonblocking(opened.sockets.back().get());
    opened.poll.add(opened.sockets.back().get(), events, static_cast<std::uint64_t>(i));
  }
  return opened;
}

std::chrono::nanoseconds nanoseconds(double seconds) {
  return std::chrono::nanoseconds(static_cast<std::int64_t>(seconds * 1e9));
}

/// What was counted between the end of the warm-up and the end; `total`: from the start on.
struct Measured {
  std::uint64_t count = 0;
  std::uint64_t total = 0;
  double seconds = 0;
  CpuTime cpu;
};

// `handle` is called for each ready connection; `count` tells how much there was so far.
template <class Handle, class Count>
Measured measure(const LoadOptions& options, Opened& opened, Handle handle, Count count) {
  std::array<epoll_event, 128> events;
  const auto run_until = [&](Clock::time_point end) {
    while (true) {
      const auto left = end - Clock::now();
      if (left <= std::chrono::nanoseconds(0)) return;
      const int ready = opened.poll.wait(events.data(), events.size(), left);
      for (int i = 0; i < ready; ++i) {
        const auto index = static_cast<std::size_t>(events[static_cast<std::size_t>(i)].data.u64);
        handle(opened.sockets[index].get());
      }
    }
  };
  const std::uint64_t first = count();
  run_until(Clock::now() + nanoseconds(options.warm_up));
  const auto start = Clock::now();
  const std::uint64_t before = count();
  const CpuTime cpu_before = cpu_time(options.pids);
  run_until(start + nanoseconds(options.seconds));
  const double took = std::chrono::duration<double>(Clock::now() - start).count();
  return {count() - before, count() - first, took, cpu_time(options.pids) - cpu_before};
}

// `weight`: bytes that one of the unit has.
void print(const char* unit, std::uint64_t weight, const Measured& measured) {
  if (measured.count == 0) fail("nothing went through");
  fmt::print(
      "{{\"{}\":{},\"seconds\":{:.4f},\"machine_cpu\":{:.3f},\"process_cpu\":{:.3f},\"scheduled\":{:.6f},"
      "\"total_bytes\":{}}}\n",
      unit, measured.count, measured.seconds, measured.cpu.machine, measured.cpu.processes, measured.cpu.scheduled,
      weight * measured.total);
}

Measured download(const LoadOptions& options) {
  Opened opened = open_all(options, Mode::source, EPOLLIN);
  std::vector<char> buffer(chunk_bytes);
  std::uint64_t bytes = 0;
  const auto receive = [&](int fd) {
    const ssize_t got = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (got == 0) fail("a connection ended");
    require(got > 0 || errno == EAGAIN, "recv");
    if (got > 0) bytes += static_cast<std::uint64_t>(got);
  };
  return measure(options, opened, receive, [&] { return bytes; });
}

Measured upload(const LoadOptions& options) {
  Opened opened = open_all(options, Mode::sink, EPOLLOUT);
  const std::vector<char> buffer(chunk_bytes, 'x');
  const auto& received = shared_counter(options.counter);
  const auto send = [&](int fd) {
    const ssize_t sent = ::send(fd, buffer.data(), buffer.size(), MSG_NOSIGNAL);
    require(sent >= 0 || errno == EAGAIN, "send");
  };
  return measure(options, opened, send, [&] { return received.load(std::memory_order_relaxed); });
}

}  // namespace

void bulk(const LoadOptions& options) { print("bytes", 1, options.upload ? upload(options) : download(options)); }

void round_trips(const LoadOptions& options) {
  Opened opened = open_all(options, Mode::echo, EPOLLIN);
  const std::array<char, message_bytes> message{};
  std::uint64_t bytes = 0;
  for (const Fd& fd : opened.sockets)
    require(::send(fd.get(), message.data(), message.size(), MSG_NOSIGNAL) == message_bytes, "send");
  const auto answer = [&](int fd) {
    std::array<char, message_bytes> buffer;
    const ssize_t got = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (got == 0) fail("a connection ended");
    require(got > 0 || errno == EAGAIN, "recv");
    if (got < 0) return;
    bytes += static_cast<std::uint64_t>(got);
    require(::send(fd, buffer.data(), static_cast<std::size_t>(got), MSG_NOSIGNAL) == got, "send");
  };
  print("count", 2 * message_bytes, measure(options, opened, answer, [&] { return bytes / message_bytes; }));
}

void idle(const LoadOptions& options) {
  const Address address = address_of(options.target);
  const std::string hello = client_hello(options.name);
  std::vector<Fd> sockets;
  for (int i = 0; i < options.connections; ++i) {
    sockets.push_back(open_connection(address, hello, Mode::echo));
    char byte = 'x';
    require(::send(sockets.back().get(), &byte, 1, MSG_NOSIGNAL) == 1, "send");
    if (::recv(sockets.back().get(), &byte, 1, 0) != 1) fail(fmt::format("connection {} ended", i));
  }
  fmt::print("{{\"open\":{}}}\n", sockets.size());
  std::fflush(stdout);
  char byte = 0;
  while (::read(STDIN_FILENO, &byte, 1) > 0) {
  }
}

}  // namespace sonde::bench
