// SPDX-License-Identifier: Apache-2.0
// What networks and hosts differ in: families, options of SYN, windows, MTUs, routes.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <thread>
#include <tuple>

#include "on_the_wire.hpp"

namespace sonde::test {
namespace {

using namespace std::chrono_literals;

void set(const NetworkNamespace& where, const std::string& name, const std::string& value) {
  where.run(fmt::format("sysctl -qw '{}={}'", name, value));
}

class WireFamilies : public testing::TestWithParam<std::tuple<bool, bool>> {};

TEST_P(WireFamilies, CarryEverything) {
  const WiredHosts hosts;
  OnTheWire wire(hosts, {.client_ipv6 = std::get<0>(GetParam()), .server_ipv6 = std::get<1>(GetParam())});
  auto conversation = wire.joined();
  EXPECT_TRUE(conversation.talk(3 << 20));
  conversation.client.fd.reset();
  EXPECT_TRUE(conversation.server.receive_to_end(conversation.client.sent));
  conversation.server.fd.reset();
  wire.expect_end(conversation, "client-closed");
  wire.exchange(20, 4, 100'000, 4 << 20);
}

INSTANTIATE_TEST_SUITE_P(All, WireFamilies, testing::Combine(testing::Bool(), testing::Bool()), [](const auto& test) {
  return fmt::format("{}To{}", std::get<0>(test.param) ? "Ipv6" : "Ipv4", std::get<1>(test.param) ? "Ipv6" : "Ipv4");
});

class WireNetwork : public testing::Test {
 protected:
  WiredHosts hosts_;
};

// The window is closed for longer than a probe takes; nothing is lost, and it opens again.
TEST_F(WireNetwork, ZeroWindowAndProbes) {
  OnTheWire wire(hosts_);
  for (const bool client_sends : {true, false}) {
    auto conversation = wire.joined();
    auto& from = client_sends ? conversation.client : conversation.server;
    auto& to = client_sends ? conversation.server : conversation.client;
    constexpr std::uint64_t much = 20 << 20;
    std::thread sender([&] { EXPECT_TRUE(from.send(much)); });
    std::this_thread::sleep_for(3s);
    EXPECT_TRUE(to.receive(much));
    sender.join();
    EXPECT_GT(kernel_counter(client_sends ? hosts_.client : hosts_.server, "TcpExtTCPWinProbe"), 0U);
    conversation.server.fd.reset();
    EXPECT_EQ(conversation.client.ending(), 0);
    conversation.client.fd.reset();
    wire.expect_end(conversation, "upstream-closed");
  }
}

TEST_F(WireNetwork, UrgentDataKeepsItsPlace) {
  OnTheWire wire(hosts_);
  auto conversation = wire.joined();
  const int one = 1, fd = conversation.server.fd.get();
  ::setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &one, sizeof(one));
  EXPECT_TRUE(conversation.client.send(99));
  EXPECT_TRUE(conversation.client.send_urgent());
  EXPECT_TRUE(conversation.client.send(100));
  EXPECT_TRUE(conversation.server.receive(50));
  int at_mark = -1;
  EXPECT_EQ(::ioctl(fd, SIOCATMARK, &at_mark), 0);
  EXPECT_EQ(at_mark, 0);
  EXPECT_TRUE(conversation.server.receive(49));
  EXPECT_EQ(::ioctl(fd, SIOCATMARK, &at_mark), 0);
  EXPECT_EQ(at_mark, 1);
  EXPECT_TRUE(conversation.server.receive(101));
  EXPECT_TRUE(conversation.talk());
}

TEST_F(WireNetwork, KeepaliveAnswersAndNoticesDeath) {
  OnTheWire wire(hosts_);
  auto conversation = wire.joined({.prepare_client = [](int fd) {
    const int on = 1, second = 1, times = 3;
    ::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &second, sizeof(second));
    ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &second, sizeof(second));
    ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &times, sizeof(times));
  }});
  std::this_thread::sleep_for(6s);
  EXPECT_GE(kernel_counter(hosts_.client, "TcpExtTCPKeepAlive"), 3U);
  EXPECT_TRUE(conversation.talk());
  hosts_.server.run("ip link set eth0 down");
  EXPECT_EQ(conversation.client.ending(), ETIMEDOUT);
}

/// The clock of this end's timestamps goes on by so many milliseconds (tcp(7), TCP_TIMESTAMP; even numbers are of
/// milliseconds).
void move_clock(const Talker& end, std::int64_t milliseconds) {
  const int fd = end.fd.get(), on = TCP_REPAIR_ON, off = TCP_REPAIR_OFF_NO_WP;
  std::uint32_t clock = 0;
  socklen_t size = sizeof(clock);
  EXPECT_EQ(::setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &on, sizeof(on)), 0);
  EXPECT_EQ(::getsockopt(fd, IPPROTO_TCP, TCP_TIMESTAMP, &clock, &size), 0);
  clock = static_cast<std::uint32_t>(clock + milliseconds) & ~1U;
  EXPECT_EQ(::setsockopt(fd, IPPROTO_TCP, TCP_TIMESTAMP, &clock, sizeof(clock)), 0);
  EXPECT_EQ(::setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &off, sizeof(off)), 0);
}

std::uint32_t round_trip_us(const Talker& end) {
  tcp_info info{};
  socklen_t size = sizeof(info);
  EXPECT_EQ(::getsockopt(end.fd.get(), IPPROTO_TCP, TCP_INFO, &info, &size), 0);
  return info.tcpi_rtt;
}

// What a peer hears of the other after twelve days of silence, six times over: timestamps wrap on the way.
TEST_F(WireNetwork, TimestampsAfterWeeksOfIdling) {
  OnTheWire wire(hosts_);
  auto conversation = wire.joined();
  constexpr std::int64_t days = 1 << 30;
  for (int i = 0; i < 6; ++i) {
    move_clock(conversation.client, days);
    if (i % 2 == 1) move_clock(conversation.server, days);
    EXPECT_TRUE(conversation.talk(100'000));
  }
  for (const auto* host : {&hosts_.client, &hosts_.server}) EXPECT_EQ(kernel_counter(*host, "TcpExtPAWSEstab"), 0U);
  // Taken from what comes back of their own timestamps.
  for (const auto* end : {&conversation.client, &conversation.server}) EXPECT_LT(round_trip_us(*end), 1'000'000U);
}

// A segment that is older than what has come is no duplicate to be taken again (PAWS, RFC 7323 section 5): the receiver
// must be able to tell through the wire.
TEST_F(WireNetwork, OldTimestampsAreSeenThroughTheWire) {
  OnTheWire wire(hosts_);
  auto conversation = wire.joined();
  constexpr std::int64_t hour = 3'600'000;
  move_clock(conversation.client, -hour);
  EXPECT_TRUE(conversation.client.send(1000));
  EXPECT_TRUE(eventually([&] { return kernel_counter(hosts_.server, "TcpExtPAWSEstab") > 0; }));
  int waiting = -1;
  EXPECT_EQ(::ioctl(conversation.server.fd.get(), FIONREAD, &waiting), 0);
  EXPECT_EQ(waiting, 0);
  move_clock(conversation.client, hour);
  EXPECT_TRUE(conversation.server.receive(1000));  // sent again
  EXPECT_TRUE(conversation.talk());
}

// Packets that leave the client with ECT arrive with a mark of congestion now and then.
void mark_congestion(const NetworkNamespace& client) {
  client.run(
      "nft 'table ip congestion { chain out { type filter hook postrouting priority 0; "
      "tcp dport 8443 ip ecn ect0 numgen inc mod 50 0 ip ecn set ce; }; }'");
}

TEST_F(WireNetwork, CongestionIsMarkedThroughTheWire) {
  for (const auto* host : {&hosts_.client, &hosts_.proxy, &hosts_.server}) set(*host, "net.ipv4.tcp_ecn", "1");
  OnTheWire wire(hosts_);
  mark_congestion(hosts_.client);
  wire.exchange(4, 2, 20 << 20, 30 << 20);
  EXPECT_GT(kernel_counter(hosts_.server, "IpExtInCEPkts"), 10U);
  EXPECT_GT(kernel_counter(hosts_.client, "TcpExtTCPDeliveredCE"), 10U);
}

// A mark that the receiver would not understand is a loss (RFC 3168 section 5.3).
TEST_F(WireNetwork, CongestionOfOneSideOnly) {
  set(hosts_.client, "net.ipv4.tcp_ecn", "1");
  set(hosts_.proxy, "net.ipv4.tcp_ecn", "1");
  set(hosts_.server, "net.ipv4.tcp_ecn", "0");
  OnTheWire wire(hosts_);
  mark_congestion(hosts_.client);
  wire.exchange(4, 2, 20 << 20, 30 << 20);
  EXPECT_EQ(kernel_counter(hosts_.server, "IpExtInCEPkts"), 0U);
  EXPECT_EQ(kernel_counter(hosts_.server, "IpExtInECT0Pkts"), 0U);
}

TEST_F(WireNetwork, TimestampsOfOneSideOnlyStayWithTheRelay) {
  set(hosts_.client, "net.ipv4.tcp_timestamps", "0");
  OnTheWire wire(hosts_);
  auto conversation = wire.relayed();
  EXPECT_TRUE(conversation.talk(5 << 20));
  std::this_thread::sleep_for(200ms);
  EXPECT_TRUE(wire_connections(hosts_.proxy).empty());
  const auto status = wire.proxy().status();
  EXPECT_EQ(status.at("wire").at("refused").at("timestamps-differ"), 1) << status.at("wire");
  conversation.client.fd.reset();
  EXPECT_EQ(conversation.server.ending(), 0);
  conversation.server.fd.reset();
  wire.expect_end(conversation, "client-closed", "splice");
}

TEST_F(WireNetwork, NoTimestampsOnEitherSide) {
  set(hosts_.client, "net.ipv4.tcp_timestamps", "0");
  set(hosts_.server, "net.ipv4.tcp_timestamps", "0");
  OnTheWire wire(hosts_);
  (void)wire.joined();
  wire.exchange(8, 4, 1 << 20, 8 << 20);
}

TEST(WireOptions, SelectiveAcknowledgementsOfOneSideOnly) {
  const Badness bad{.lost = 0.01, .late = 0.02, .delay = 300us};
  for (const bool at_client : {true, false}) {
    const WiredHosts hosts(bad, bad);
    set(at_client ? hosts.client : hosts.server, "net.ipv4.tcp_sack", "0");
    OnTheWire wire(hosts);
    wire.exchange(10, 10, 500'000, 1'000'000);
    // What one side says must not reach the other, which would not understand it.
    EXPECT_EQ(kernel_counter(at_client ? hosts.client : hosts.server, "TcpExtTCPSackRecovery"), 0U);
  }
}

TEST_F(WireNetwork, WindowScalesThatDiffer) {
  set(hosts_.client, "net.ipv4.tcp_rmem", "4096 20000 20000");
  set(hosts_.server, "net.ipv4.tcp_rmem", "4096 131072 33554432");
  OnTheWire wire(hosts_);
  {
    const auto conversation = wire.joined();
    const auto connection = wire_connection(hosts_.proxy, conversation.client_end);
    ASSERT_TRUE(connection);
    EXPECT_NE(connection->sides[0].window_shift_in, connection->sides[1].window_shift_in);
  }
  wire.exchange(4, 2, 10 << 20, 20 << 20);
}

TEST_F(WireNetwork, NoWindowScaleOfOneSide) {
  set(hosts_.client, "net.ipv4.tcp_window_scaling", "0");
  OnTheWire wire(hosts_);
  (void)wire.joined();
  wire.exchange(4, 2, 10 << 20, 20 << 20);
}

struct Mtus {
  int west = 1500, east = 1500;
  bool is_joined = true;  ///< else the client was told longer segments than the server takes
};
class WireMtus : public testing::TestWithParam<Mtus> {};

TEST_P(WireMtus, SegmentsFitBothLinks) {
  const auto& mtus = GetParam();
  const WiredHosts hosts;
  hosts.client.run(fmt::format("ip link set eth0 mtu {}", mtus.west));
  hosts.proxy.run(fmt::format("ip link set west mtu {} && ip link set east mtu {}", mtus.west, mtus.east));
  hosts.server.run(fmt::format("ip link set eth0 mtu {}", mtus.east));
  OnTheWire wire(hosts);
  if (mtus.is_joined) {
    (void)wire.joined();
  } else {
    (void)wire.relayed();
    EXPECT_EQ(wire.proxy().status().at("wire").at("refused").at("segment-differs"), 1);
  }
  wire.exchange(8, 4, 2 << 20, 8 << 20);
  EXPECT_EQ(connections_by(wire.proxy(), "wire") > 0, mtus.is_joined);
}

INSTANTIATE_TEST_SUITE_P(All, WireMtus,
                         testing::Values(Mtus{1300, 1500, true}, Mtus{1500, 1300, false}, Mtus{9000, 1500, false},
                                         Mtus{1500, 9000, true}));

// Packets come by one interface and those the other way leave by another; then the route changes back.
TEST_F(WireNetwork, AnotherWayBackAndARouteThatChanges) {
  add_veth(hosts_.client, "eth1", hosts_.proxy, "west2");
  hosts_.client.run("ip addr add 10.8.3.1/24 dev eth1");
  hosts_.proxy.run("ip addr add 10.8.3.2/24 dev west2");
  for (const auto* name :
       {"net.ipv4.conf.all.rp_filter", "net.ipv4.conf.eth1.rp_filter", "net.ipv4.conf.eth0.rp_filter"})
    set(hosts_.client, name, "0");
  OnTheWire wire(hosts_);
  auto conversation = wire.joined();
  hosts_.proxy.run("ip route add 10.8.1.1/32 via 10.8.3.1 dev west2");
  std::this_thread::sleep_for(1500ms);
  const auto before = interface_counter(hosts_.proxy, "west2", "tx_bytes");
  EXPECT_TRUE(conversation.talk(2 << 20));
  EXPECT_GT(interface_counter(hosts_.proxy, "west2", "tx_bytes"), before + (2 << 20));
  hosts_.proxy.run("ip route del 10.8.1.1/32 via 10.8.3.1 dev west2");
  std::this_thread::sleep_for(1500ms);
  const auto then = interface_counter(hosts_.proxy, "west2", "tx_bytes");
  EXPECT_TRUE(conversation.talk(2 << 20));
  EXPECT_LT(interface_counter(hosts_.proxy, "west2", "tx_bytes"), then + 10'000);
}

/// The addresses of `device` move to a VLAN on top of it. False: this kernel has no VLAN interfaces.
bool tag(const NetworkNamespace& where, const std::string& device, const std::string& four, const std::string& six) {
  if (!add_vlan(where, device, 7)) return false;
  where.run(fmt::format("ip addr flush dev {} && ip addr add {}/24 dev vlan7 && ip addr add {}/64 dev vlan7 nodad",
                        device, four, six));
  return true;
}

// Tagged packets come by the VLAN interface and leave untagged, and back: the tag is that interface's affair.
TEST_F(WireNetwork, ClientsOfAVlan) {
  if (!tag(hosts_.client, "eth0", "10.8.1.1", "fd08:1::1") || !tag(hosts_.proxy, "west", proxy_ipv4, proxy_ipv6))
    GTEST_SKIP() << "this kernel has no 802.1Q interfaces (CONFIG_VLAN_8021Q)";
  for (const bool ipv6 : {false, true}) {
    OnTheWire wire(hosts_, {.client_ipv6 = ipv6});
    auto conversation = wire.joined();
    const auto before = interface_counter(hosts_.proxy, "vlan7", "tx_bytes");
    EXPECT_TRUE(conversation.talk(3 << 20));
    EXPECT_GT(interface_counter(hosts_.proxy, "vlan7", "tx_bytes"), before + (3 << 20));
    conversation.client.fd.reset();
    EXPECT_EQ(conversation.server.ending(), 0);
    conversation.server.fd.reset();
    wire.expect_end(conversation, "client-closed");
    wire.exchange(8, 4, 1 << 20, 4 << 20);
  }
}

// A rule by the source address leads to a table of its own.
TEST_F(WireNetwork, PolicyRouting) {
  add_veth(hosts_.proxy, "east2", hosts_.server, "eth1");
  hosts_.proxy.run(
      "ip addr add 10.8.4.2/24 dev east2 && ip rule add to 10.8.2.1 ipproto tcp dport 9443 table 77 && "
      "ip route add 10.8.2.1/32 via 10.8.4.1 dev east2 table 77 src 10.8.2.2");
  hosts_.server.run("ip addr add 10.8.4.1/24 dev eth1");
  for (const auto* name : {"net.ipv4.conf.all.rp_filter", "net.ipv4.conf.eth1.rp_filter"})
    set(hosts_.server, name, "0");
  OnTheWire wire(hosts_);
  auto conversation = wire.joined();
  const auto before = interface_counter(hosts_.proxy, "east2", "tx_bytes");
  EXPECT_TRUE(pass(conversation.client, conversation.server, 2 << 20));
  EXPECT_GT(interface_counter(hosts_.proxy, "east2", "tx_bytes"), before + (2 << 20));
}

// The server is behind a router whose way on takes shorter packets from some moment on: it says so to the proxy.
TEST_F(WireNetwork, PathMtuThatShrinksBehindTheProxy) {
  const NetworkNamespace far;
  add_veth(hosts_.server, "far", far, "eth0");
  hosts_.server.run("ip addr add 10.8.5.1/24 dev far && sysctl -qw net.ipv4.ip_forward=1");
  far.run("ip addr add 10.8.5.2/24 dev eth0 && ip route add default via 10.8.5.1");
  hosts_.proxy.run("ip route add 10.8.5.0/24 via 10.8.2.1");
  const Listening listening(far, endpoint_at("10.8.5.2", server_port));
  auto config = one_route("10.8.1.2:8443", "10.8.5.2:9443");
  config["forwarding"] = wire_forwarding();
  const Proxied proxy(hosts_.proxy, config);
  auto conversation = meet(hosts_.client, listening);
  EXPECT_TRUE(conversation.talk());
  EXPECT_TRUE(comes_to_the_wire(hosts_.proxy, conversation.client_end));
  EXPECT_TRUE(conversation.talk(1 << 20));
  hosts_.server.run("ip link set far mtu 1200");
  far.run("ip link set eth0 mtu 1200");
  const auto began = std::chrono::steady_clock::now();
  EXPECT_TRUE(pass(conversation.client, conversation.server, 4 << 20));
  EXPECT_LT(std::chrono::steady_clock::now() - began, 3s);
  EXPECT_TRUE(conversation.talk(1 << 20));
}

// More than 4 GiB each way: every sequence number, whatever the first was.
TEST_F(WireNetwork, SequenceNumbersWrap) {
  OnTheWire wire(hosts_);
  auto conversation = wire.joined();
  constexpr std::uint64_t size = (std::uint64_t{1} << 32) + (100 << 20);
  std::thread up([&] { EXPECT_TRUE(pass(conversation.client, conversation.server, size)); });
  EXPECT_TRUE(pass(conversation.server, conversation.client, size));
  up.join();
  conversation.client.fd.reset();
  EXPECT_EQ(conversation.server.ending(), 0);
  conversation.server.fd.reset();
  wire.expect_end(conversation, "client-closed");
}

}  // namespace
}  // namespace sonde::test
