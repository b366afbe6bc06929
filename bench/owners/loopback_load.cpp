// SPDX-License-Identifier: Apache-2.0
// Load over loopback: requests and replies on standing connections, short connections, or sockets that are only open.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <thread>
#include <vector>

#include "base/fd.hpp"

namespace sonde::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint32_t loopback_addresses = 200;  // a connection is to one of these, so that ports do not run out

void require(bool good, const char* what) {
  if (good) return;
  std::perror(what);
  std::_Exit(1);  // threads may be running
}

sockaddr_in loopback(std::uint32_t host, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(0x7f000001 + host);
  return address;
}

struct Listener {
  Fd fd{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  std::uint16_t port = 0;

  Listener() {
    require(static_cast<bool>(fd), "socket");
    auto address = loopback(0, 0);
    address.sin_addr.s_addr = htonl(INADDR_ANY);
    socklen_t size = sizeof(address);
    require(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) == 0, "bind");
    require(::listen(fd.get(), 4096) == 0, "listen");
    require(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0, "getsockname");
    port = ntohs(address.sin_port);
  }
};

Fd connect_to(std::uint32_t host, std::uint16_t port) {
  Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  require(static_cast<bool>(fd), "socket");
  const auto address = loopback(host, port);
  require(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0, "connect");
  const int on = 1;
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  return fd;
}

Fd poll_all(const std::vector<Fd>& sockets) {
  Fd epoll(::epoll_create1(EPOLL_CLOEXEC));
  for (const auto& socket : sockets) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = socket.get();
    require(::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, socket.get(), &event) == 0, "epoll_ctl");
  }
  return epoll;
}

// Sends back the byte that comes, on every socket, until told to stop. Returns the bytes.
std::uint64_t echo(const Fd& epoll, const std::atomic<bool>& stop) {
  std::uint64_t bytes = 0;
  epoll_event events[64];
  while (!stop.load(std::memory_order_relaxed)) {
    const int ready = ::epoll_wait(epoll.get(), events, 64, 50);
    for (int i = 0; i < ready; ++i) {
      char byte = 0;
      if (::recv(events[i].data.fd, &byte, 1, 0) != 1) return bytes;
      if (::send(events[i].data.fd, &byte, 1, MSG_NOSIGNAL) != 1) return bytes;
      ++bytes;
    }
  }
  return bytes;
}

// One byte travels on each connection, back and forth.
void request_reply(int connections, double seconds) {
  const Listener listener;
  std::vector<Fd> clients, servers;
  for (int i = 0; i < connections; ++i) {
    clients.push_back(connect_to(0, listener.port));
    servers.emplace_back(::accept4(listener.fd.get(), nullptr, nullptr, SOCK_CLOEXEC));
  }
  const Fd client_poll = poll_all(clients), server_poll = poll_all(servers);
  std::atomic<bool> stop{false};
  const auto start = Clock::now();
  std::thread server([&] { (void)echo(server_poll, stop); });
  std::uint64_t replies = 0;
  std::thread client([&] { replies = echo(client_poll, stop); });
  for (const auto& socket : clients) require(::send(socket.get(), "x", 1, 0) == 1, "send");
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  stop = true;
  client.join();
  const double took = std::chrono::duration<double>(Clock::now() - start).count();
  server.join();
  fmt::print("{{\"count\":{},\"seconds\":{}}}\n", replies, took);
}

void short_connections(double seconds) {
  const Listener listener;
  std::atomic<bool> stop{false};
  std::thread server([&] {
    while (true) {
      const Fd accepted(::accept4(listener.fd.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (stop.load() || !accepted) return;
      char byte = 0;
      (void)::recv(accepted.get(), &byte, 1, 0);  // the client closes first
    }
  });
  std::uint64_t count = 0;
  const auto start = Clock::now();
  const auto end = start + std::chrono::duration<double>(seconds);
  while (Clock::now() < end) {
    (void)connect_to(static_cast<std::uint32_t>(count % loopback_addresses), listener.port);
    ++count;
  }
  const double took = std::chrono::duration<double>(Clock::now() - start).count();
  stop = true;
  (void)connect_to(0, listener.port);  // wakes the server
  server.join();
  fmt::print("{{\"count\":{},\"seconds\":{}}}\n", count + 1, took);
}

// Until standard input ends.
void open_sockets(int number) {
  const Listener listener;
  std::vector<Fd> sockets;
  sockets.reserve(static_cast<std::size_t>(number));
  while (sockets.size() + 1 < static_cast<std::size_t>(number)) {
    sockets.push_back(connect_to(static_cast<std::uint32_t>(sockets.size() % loopback_addresses), listener.port));
    sockets.emplace_back(::accept4(listener.fd.get(), nullptr, nullptr, SOCK_CLOEXEC));
    require(static_cast<bool>(sockets.back()), "accept");
  }
  fmt::print("open {}\n", sockets.size());
  std::fflush(stdout);
  char byte = 0;
  while (::read(STDIN_FILENO, &byte, 1) > 0) {
  }
}

int run(int argc, char** argv) {
  CLI::App app{"Load over loopback for `./dev bench owners`."};
  app.require_subcommand(1);
  int connections = 64, sockets = 1000;
  double seconds = 2;
  auto* rr = app.add_subcommand("rr", "Requests and replies of a byte on standing connections");
  rr->add_option("--connections", connections);
  rr->add_option("--seconds", seconds);
  auto* connect = app.add_subcommand("connect", "Connections that are opened and closed, one after the other");
  connect->add_option("--seconds", seconds);
  auto* open = app.add_subcommand("open", "Sockets that stay open until standard input ends");
  open->add_option("--sockets", sockets);
  CLI11_PARSE(app, argc, argv);
  if (*rr) request_reply(connections, seconds);
  if (*connect) short_connections(seconds);
  if (*open) open_sockets(sockets);
  return 0;
}

}  // namespace
}  // namespace sonde::bench

int main(int argc, char** argv) try { return sonde::bench::run(argc, argv); } catch (const std::exception& error) {
  std::fprintf(stderr, "loopback_load: %s\n", error.what());
  return 1;
}
