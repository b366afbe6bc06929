// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/process/sockets.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <fstream>

#include "actuators/proxy/process/port_holder.hpp"
#include "base/socket_address.hpp"

namespace sonde::proxy {
namespace {

using testing::HasSubstr;

Endpoint ipv4(std::uint8_t last, std::uint16_t port = 0) {
  return {.address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, last}, .port = port};
}

Endpoint ipv6_loopback(std::uint16_t port = 0) {
  Endpoint endpoint{.port = port};
  endpoint.address[15] = 1;
  return endpoint;
}

bool connects(const Endpoint& to) {
  const SocketAddress address(to);
  const Fd client(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  return ::connect(client.get(), address.get(), address.size()) == 0;
}

int option(int fd, int level, int name) {
  int value = -1;
  socklen_t size = sizeof(value);
  ::getsockopt(fd, level, name, &value, &size);
  return value;
}

TEST(Sockets, ListensAndSaysWhere) {
  for (const Endpoint& address : {ipv4(1), ipv6_loopback()}) {
    auto listening = listen_on(address, false);
    ASSERT_TRUE(listening) << listening.error().text();
    EXPECT_EQ(listening->address.address, address.address);
    EXPECT_NE(listening->address.port, 0);
    EXPECT_TRUE(connects(listening->address));
    EXPECT_TRUE(::fcntl(listening->fd.get(), F_GETFL) & O_NONBLOCK);
    EXPECT_TRUE(::fcntl(listening->fd.get(), F_GETFD) & FD_CLOEXEC);
    EXPECT_EQ(option(listening->fd.get(), SOL_SOCKET, SO_REUSEADDR), 1);
    EXPECT_EQ(option(listening->fd.get(), SOL_SOCKET, SO_REUSEPORT), 0);
  }
}

TEST(Sockets, TheBacklogIsWhatTheHostAllows) {
  auto listening = listen_on(ipv4(1), false);
  ASSERT_TRUE(listening);
  tcp_info info{};
  socklen_t size = sizeof(info);
  ASSERT_EQ(::getsockopt(listening->fd.get(), IPPROTO_TCP, TCP_INFO, &info, &size), 0);
  unsigned allowed = 0;
  std::ifstream("/proc/sys/net/core/somaxconn") >> allowed;
  EXPECT_EQ(info.tcpi_sacked, allowed);  // of a listening socket: its backlog (tcp(7), net/ipv4/tcp.c)
}

TEST(Sockets, AnIpv6OneLeavesIpv4Alone) {
  auto six = listen_on(Endpoint{}, false);
  ASSERT_TRUE(six) << six.error().text();
  EXPECT_EQ(option(six->fd.get(), IPPROTO_IPV6, IPV6_V6ONLY), 1);
  EXPECT_FALSE(connects(ipv4(1, six->address.port)));
  auto four = listen_on(ipv4(1, six->address.port), false);
  EXPECT_TRUE(four) << four.error().text();
}

TEST(Sockets, ThePortsHolderIsNamed) {
  auto first = listen_on(ipv4(1), false);
  ASSERT_TRUE(first);
  auto second = listen_on(first->address, false);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, EADDRINUSE);
  // /proc/PID/comm has 15 letters.
  EXPECT_EQ(second.error().text(), "listen on " + first->address.text() + " (by proxy_process_t[" +
                                       std::to_string(::getpid()) + "] at " + first->address.text() +
                                       "): Address already in use");
  Endpoint any = first->address;
  any.address[12] = any.address[15] = 0;
  second = listen_on(any, false);
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().text(), HasSubstr("at " + first->address.text()));
}

TEST(Sockets, TheSameProcessSharesAPort) {
  auto first = listen_on(ipv6_loopback(), true);
  ASSERT_TRUE(first);
  auto second = listen_on(first->address, true);
  ASSERT_TRUE(second) << second.error().text();
  EXPECT_EQ(first->address, second->address);
  EXPECT_EQ(option(second->fd.get(), SOL_SOCKET, SO_REUSEPORT), 1);
}

TEST(Sockets, AnotherProcessDoesNotShareAPort) {
  int ready[2];
  int done[2];
  ASSERT_EQ(::pipe(ready), 0);
  ASSERT_EQ(::pipe(done), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    auto other = listen_on(ipv4(1), true);
    const std::uint16_t port = other ? other->address.port : 0;
    if (::write(ready[1], &port, sizeof(port)) != sizeof(port)) ::_exit(1);
    ::close(done[1]);
    char end = 0;
    [[maybe_unused]] const auto size = ::read(done[0], &end, 1);
    ::_exit(0);
  }
  std::uint16_t port = 0;
  ASSERT_EQ(::read(ready[0], &port, sizeof(port)), static_cast<ssize_t>(sizeof(port)));
  ASSERT_NE(port, 0);
  auto shared = listen_on(ipv4(1, port), true);
  EXPECT_FALSE(shared);
  if (!shared) {
    EXPECT_THAT(shared.error().text(), HasSubstr("[" + std::to_string(child) + "]"));
    EXPECT_EQ(shared.error().code, EADDRINUSE);
  }
  auto with_predecessor = listen_on(ipv4(1, port), true, child);
  EXPECT_TRUE(with_predecessor) << with_predecessor.error().text();
  EXPECT_FALSE(listen_on(ipv4(1, port), true, ::getppid()));
  with_predecessor->fd.reset();
  ::close(done[1]);
  EXPECT_EQ(::waitpid(child, nullptr, 0), child);
  shared = listen_on(ipv4(1, port), true);
  EXPECT_TRUE(shared) << shared.error().text();
  for (const int fd : {ready[0], ready[1], done[0]}) ::close(fd);
}

TEST(Sockets, AnAddressThatNoInterfaceHas) {
  const Endpoint far{.address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1}, .port = 4430};
  auto listening = listen_on(far, false);
  ASSERT_FALSE(listening);
  EXPECT_EQ(listening.error().text(),
            "listen on 192.0.2.1:4430: Cannot assign requested address (no interface of this host has the address)");
}

}  // namespace
}  // namespace sonde::proxy
