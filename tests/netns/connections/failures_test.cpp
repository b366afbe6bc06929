// SPDX-License-Identifier: Apache-2.0
// Connections that never were, by their class.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "harness/traffic.hpp"
#include "peers.hpp"
#include "watch.hpp"

namespace sonde::test {
namespace {

constexpr std::uint16_t port = 7002;

class Failures : public testing::Test {
 protected:
  Failures() {
    pair_.left.run("sysctl -qw net.ipv4.tcp_syn_retries=1; sysctl -qew net.ipv4.tcp_syn_linear_timeouts=0");
  }

  // What a process that connects to the address is told, and the event.
  std::optional<Connection> failure_of(const std::string& address, int error) {
    Peer asking(pair_.left, [&](int) { return connect_to(address, port) ? 0 : errno; });
    EXPECT_EQ(asking.wait(), error);
    auto failed = watch_.find(ConnectionEvent::failed, pair_.left);
    if (!failed) return failed;
    EXPECT_EQ(failed->owner.owner.pid, asking.pid());
    EXPECT_EQ(failed->socket.remote.port, port);
    EXPECT_EQ(failed->direction, ConnectionDirection::outbound);
    EXPECT_TRUE(failed->duration);
    EXPECT_FALSE(failed->connect_latency);
    EXPECT_EQ(watch_.finish().size(), 1U) << describe(watch_.events());
    return failed;
  }

  void at_server(const std::string& rule) const {
    pair_.right.run(
        "nft 'add table inet test; add chain inet test input { type filter hook input priority 0; }; "
        "add rule inet test input meta l4proto tcp " +
        rule + "'");
  }

  Pair pair_{NetworkNamespace::Ipv6::on};
  Watch watch_{{&pair_.left}};
};

TEST_F(Failures, Refused) {
  const auto failed = failure_of("10.9.0.2", ECONNREFUSED);
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->end, ConnectionEnd::refused);
  EXPECT_EQ(failed->error, ECONNREFUSED);
  EXPECT_EQ(failed->socket.remote.text(), "10.9.0.2:7002");
  EXPECT_EQ(failed->socket.local.address_text(), "10.9.0.1");
  EXPECT_NE(failed->socket.local.port, 0) << "the port is still told after the socket has given it back";
}

TEST_F(Failures, RefusedIpv6) {
  const auto failed = failure_of("fd09::2", ECONNREFUSED);
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->end, ConnectionEnd::refused);
  EXPECT_EQ(failed->socket.remote.text(), "[fd09::2]:7002");
}

TEST_F(Failures, RefusedMapped) {
  const auto failed = failure_of("::ffff:10.9.0.2", ECONNREFUSED);
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->end, ConnectionEnd::refused);
  EXPECT_EQ(failed->socket.remote.text(), "10.9.0.2:7002");
}

TEST_F(Failures, NoAnswer) {
  at_server("drop");
  const auto failed = failure_of("10.9.0.2", ETIMEDOUT);
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->end, ConnectionEnd::connect_timeout);
  EXPECT_EQ(failed->error, ETIMEDOUT);
  EXPECT_EQ(failed->retransmissions, 1U);
  EXPECT_GE(*failed->duration, std::chrono::seconds{1});
}

TEST_F(Failures, IcmpHostUnreachable) {
  at_server("reject with icmp type host-unreachable");
  const auto failed = failure_of("10.9.0.2", EHOSTUNREACH);
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->end, ConnectionEnd::unreachable);
  EXPECT_EQ(failed->error, EHOSTUNREACH);
}

// The process is told "refused", but it was not the host that refused.
TEST_F(Failures, IcmpPortUnreachable) {
  at_server("reject with icmp type port-unreachable");
  const auto failed = failure_of("10.9.0.2", ECONNREFUSED);
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->end, ConnectionEnd::unreachable);
  EXPECT_EQ(failed->error, ECONNREFUSED);
}

TEST_F(Failures, Icmpv6Prohibited) {
  at_server("reject with icmpv6 type admin-prohibited");
  const auto failed = failure_of("fd09::2", EACCES);
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->end, ConnectionEnd::unreachable);
}

// Nobody has this address on the link, and the kernel finds that out before it gives up the SYN.
TEST_F(Failures, NoNeighbour) {
  pair_.left.run("sysctl -qw net.ipv4.neigh.veth0.mcast_solicit=1 net.ipv4.neigh.veth0.retrans_time_ms=300");
  const auto failed = failure_of("10.9.0.77", EHOSTUNREACH);
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->end, ConnectionEnd::unreachable);
}

TEST_F(Failures, GivenUpByTheProcess) {
  at_server("drop");
  Peer asking(pair_.left, [](int) {
    const auto socket = tcp_socket(AF_INET, SOCK_NONBLOCK);
    return connect_socket(socket, "10.9.0.2", port) == EINPROGRESS ? 0 : 1;
  });
  EXPECT_EQ(asking.wait(), 0);
  const auto failed = watch_.find(ConnectionEvent::failed, pair_.left);
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->end, ConnectionEnd::aborted);
  EXPECT_EQ(failed->owner.owner.pid, asking.pid());
}

// No SYN, no state: only the result of connect() tells.
class NoRoute : public Failures, public testing::WithParamInterface<const char*> {};

TEST_P(NoRoute, IsSeenWhereFunctionsCanBeTraced) {
  const bool traced = !watch_.has_notice("before a SYN");
  RecordProperty("traced", traced ? "yes" : "no");
  const std::string address = GetParam();
  if (!traced) {
    Peer asking(pair_.left, [&](int) { return connect_to(address, port) ? 0 : errno; });
    EXPECT_EQ(asking.wait(), ENETUNREACH);
    EXPECT_TRUE(watch_.finish().empty()) << describe(watch_.events());
    return;
  }
  Peer asking(pair_.left, [&](int) { return connect_to(address, port) ? 0 : errno; });
  EXPECT_EQ(asking.wait(), ENETUNREACH);
  const auto failed = watch_.find(ConnectionEvent::failed, pair_.left);
  ASSERT_TRUE(failed);
  EXPECT_EQ(watch_.finish().size(), 1U) << describe(watch_.events());
  EXPECT_EQ(failed->end, ConnectionEnd::unreachable);
  EXPECT_EQ(failed->error, ENETUNREACH);
  EXPECT_EQ(failed->owner.owner.pid, asking.pid());
  EXPECT_EQ(failed->socket.remote.port, port);
  const auto plain = address.starts_with("::ffff:") ? address.substr(7) : address;
  EXPECT_EQ(failed->socket.remote.address_text(), plain);
}

INSTANTIATE_TEST_SUITE_P(Families, NoRoute, testing::Values("192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1"));

// A port that no socket can have: SYN_SENT was reached, so this is told once and on every kernel.
TEST_F(Failures, NoPortIsFree) {
  pair_.left.run("sysctl -qw net.ipv4.ip_local_port_range='50000 50000'");
  Peer serving(pair_.right, server("10.9.0.2", port, [](Fd& socket) { (void)read_to_end(socket); }));
  serving.wait_until_ready();
  Peer asking(pair_.left, [](int) {
    const auto first = connect_to("10.9.0.2", port);
    const auto second = connect_to("10.9.0.2", port);
    return first && !second ? errno : 0;
  });
  EXPECT_EQ(asking.wait(), EADDRNOTAVAIL);
  const auto failed = watch_.find(ConnectionEvent::failed, pair_.left);
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->end, ConnectionEnd::aborted);
  const auto all = watch_.finish();
  EXPECT_EQ(std::ranges::count(all, ConnectionEvent::failed, &Connection::event), 1) << describe(all);
}

// The second attempt of a socket has nothing of the first one.
TEST_F(Failures, TheSameSocketConnectsAgain) {
  Peer serving(pair_.right, server("10.9.0.2", port + 1, [](Fd& socket) { (void)read_to_end(socket); }));
  serving.wait_until_ready();
  Peer asking(pair_.left, [](int) {
    const auto socket = tcp_socket(AF_INET);
    if (connect_socket(socket, "10.9.0.2", port) != ECONNREFUSED) return 1;
    return connect_socket(socket, "10.9.0.2", port + 1);
  });
  EXPECT_EQ(asking.wait(), 0);
  const auto closed = watch_.find(ConnectionEvent::closed, pair_.left);
  const auto all = watch_.finish();
  ASSERT_EQ(all.size(), 3U) << describe(all);
  EXPECT_EQ(all[0].end, ConnectionEnd::refused);
  EXPECT_EQ(all[1].event, ConnectionEvent::opened);
  EXPECT_EQ(all[2].end, ConnectionEnd::local_fin) << "the RST was of the first attempt";
}

}  // namespace
}  // namespace sonde::test
