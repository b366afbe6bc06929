// SPDX-License-Identifier: Apache-2.0
#include "proxy/sockets.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace sonde::bench {

void require(bool good, const char* what) {
  if (good) return;
  std::perror(what);
  std::_Exit(1);
}

void fail(const std::string& what) {
  std::fprintf(stderr, "proxy_load: %s\n", what.c_str());
  std::_Exit(1);
}

Address address_of(const std::string& text) {
  const auto colon = text.rfind(':');
  if (colon == std::string::npos) fail("\"" + text + "\": expected ADDRESS:PORT");
  std::string host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  if (::getaddrinfo(host.c_str(), text.c_str() + colon + 1, &hints, &found) != 0)
    fail("\"" + text + "\": expected ADDRESS:PORT");
  Address address;
  address.size = found->ai_addrlen;
  std::memcpy(&address.storage, found->ai_addr, found->ai_addrlen);
  ::freeaddrinfo(found);
  return address;
}

Fd connect_to(const Address& address) {
  Fd fd(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  require(static_cast<bool>(fd), "socket");
  require(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address.storage), address.size) == 0, "connect");
  const int on = 1;
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  return fd;
}

Fd open_connection(const Address& address, std::string_view hello, Mode mode) {
  Fd fd = connect_to(address);
  std::string first(hello);
  first.push_back(static_cast<char>(mode));
  require(::send(fd.get(), first.data(), first.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(first.size()), "send");
  return fd;
}

void set_nonblocking(int fd) { require(::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK) == 0, "fcntl"); }

Poll::Poll() : fd_(::epoll_create1(EPOLL_CLOEXEC)) { require(static_cast<bool>(fd_), "epoll_create1"); }

void Poll::add(int fd, std::uint32_t events, std::uint64_t data) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = data;
  require(::epoll_ctl(fd_.get(), EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl");
}

void Poll::change(int fd, std::uint32_t events, std::uint64_t data) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = data;
  require(::epoll_ctl(fd_.get(), EPOLL_CTL_MOD, fd, &event) == 0, "epoll_ctl");
}

int Poll::wait(epoll_event* events, int size, std::chrono::nanoseconds timeout) const {
  const auto nanoseconds = std::max<std::int64_t>(timeout.count(), 0);
  const timespec spec{nanoseconds / 1'000'000'000, nanoseconds % 1'000'000'000};
  const int ready = ::epoll_pwait2(fd_.get(), events, size, &spec, nullptr);
  if (ready < 0 && errno == EINTR) return 0;
  require(ready >= 0, "epoll_pwait2");
  return ready;
}

}  // namespace sonde::bench
