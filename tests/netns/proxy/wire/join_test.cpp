// SPDX-License-Identifier: Apache-2.0
// What a connection begins with on the wire, joined without a proxy around.
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "actuators/proxy/wire/wire.hpp"
#include "base/socket_address.hpp"
#include "conversation.hpp"
#include "stream_bytes.hpp"
#include "wired_hosts.hpp"

namespace sonde::test {
namespace {

using proxy::Wire;
using proxy::wire_bytes;

constexpr std::uint64_t waiting = 1000, later = 2000;

int bytes_to_read(const Fd& fd) {
  int bytes = 0;
  return ::ioctl(fd.get(), FIONREAD, &bytes) == 0 ? bytes : -1;
}

Fd connect_to(const Endpoint& to) {
  const SocketAddress address(to);
  Fd fd(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(::connect(fd.get(), address.get(), address.size()), 0);
  return fd;
}

/// Numbers of the client's stream: those of its first bytes, which wait in the proxy's socket when it is joined.
class WireJoin : public testing::TestWithParam<std::uint32_t> {};

TEST_P(WireJoin, BytesCountFromThoseThatWait) {
  const WiredHosts hosts;
  const Listening proxy(hosts.proxy, endpoint_at(proxy_ipv4, proxy_port));
  const Listening server(hosts.server, endpoint_at(server_ipv4, server_port));
  Talker client{.seed_out = 1, .seed_in = 2};
  hosts.client.call([&] {
    client.fd.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    begin_at(client.fd.get(), GetParam());
    const SocketAddress address(endpoint_at(proxy_ipv4, proxy_port));
    ASSERT_EQ(::connect(client.fd.get(), address.get(), address.size()), 0);
  });
  const auto to_client = proxy.accept();
  hosts.proxy.call([&] {
    auto wire = Wire::make({.connections = 16, .is_private = true});
    ASSERT_TRUE(wire) << wire.error().text();
    const auto to_upstream = connect_to(endpoint_at(server_ipv4, server_port));
    const auto accepted = server.accept();
    EXPECT_TRUE(client.send(waiting));
    ASSERT_TRUE(eventually([&] { return bytes_to_read(to_client) == waiting; }));
    std::uint32_t index = 0;
    ASSERT_EQ((*wire)->join({.client_fd = to_client.get(), .upstream_fd = to_upstream.get(), .insists = true}, index),
              SONDE_WIRE_JOINED);
    const auto& side = (*wire)->table().at(index).sides[SONDE_WIRE_CLIENT];
    EXPECT_EQ(wire_bytes(side), waiting);
    EXPECT_TRUE(client.send(later));
    EXPECT_TRUE(eventually([&] { return wire_bytes(side) == waiting + later; })) << wire_bytes(side);
    EXPECT_EQ(static_cast<std::uint32_t>(side.position - GetParam()), 1 + waiting + later);
  });
}

INSTANTIATE_TEST_SUITE_P(FirstNumbers, WireJoin,
                         testing::Values(1'000'000U, 0U - waiting / 2, 0U - waiting - 1, 0U - waiting - later / 2));

}  // namespace
}  // namespace sonde::test
