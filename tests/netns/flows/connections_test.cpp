// SPDX-License-Identifier: Apache-2.0
// Single connections: both families, VLAN, offload, reuse of a tuple, handshake times, retransmissions.
#include <gtest/gtest.h>

#include <cstdlib>

#include "flow_watch.hpp"
#include "harness/process.hpp"
#include "harness/traffic.hpp"

namespace sonde::test {
namespace {

FlowWatchOptions without_owners(std::vector<std::string> interfaces = {"veth0"}) {
  FlowWatchOptions options;
  options.interfaces = std::move(interfaces);
  options.flows.owners = packets::OwnersChoice::off;
  return options;
}

TEST(Connection, HasItsOpenerItsBytesAndItsEnd) {
  const Pair pair(NetworkNamespace::Ipv6::on);
  for (const std::string address : {"10.9.0.2", "fd09::2"}) {
    FlowWatch watch(pair.left, without_owners());
    exchange_tcp(pair.left, pair.right, address, 40'001, 8080, std::string(300, 'q'), std::string(5000, 'a'));
    EXPECT_TRUE(watch.wait_for_ends(1));
    const auto seen = watch.stop();
    const auto flows = seen.to_port(8080);
    ASSERT_EQ(flows.size(), 1U) << seen.text();
    const auto& flow = flows[0].flow;
    EXPECT_EQ(flow.sides[0].endpoint.port, 40'001);
    EXPECT_EQ(flow.sides[1].endpoint.address_text(), address);
    EXPECT_TRUE(flow.start_seen);
    EXPECT_EQ(flow.end, FlowEnd::closed) << "two seconds after its last packet, before the source was stopped";
    EXPECT_GT(flow.sides[1].bytes, 5000U);
    EXPECT_EQ(flow.sides[0].retransmissions + flow.sides[1].retransmissions, 0U);
    EXPECT_EQ(flow.interface, "veth0");
    ASSERT_TRUE(flow.handshake_time.has_value());
    EXPECT_LT(*flow.syn_ack_time, *flow.handshake_time);
    expect_balanced(seen);
  }
}

TEST(Connection, ARefusedOneIsReset) {
  const Pair pair;
  FlowWatch watch(pair.left, without_owners());
  pair.left.run("nc -z -w 1 10.9.0.2 7777 || true");
  const auto seen = watch.stop();
  const auto flows = seen.to_port(7777);
  ASSERT_EQ(flows.size(), 1U) << seen.text();
  EXPECT_EQ(flows[0].flow.end, FlowEnd::reset);
  EXPECT_FALSE(flows[0].flow.syn_ack_time.has_value());
}

// An idle timeout below the two seconds that it is kept for late packets does not make it one.
TEST(Connection, OneThatIsOverIsNotIdle) {
  const Pair pair;
  auto options = without_owners();
  options.flows.idle_timeout = std::chrono::milliseconds(1500);
  FlowWatch watch(pair.left, options);
  exchange_tcp(pair.left, pair.right, "10.9.0.2", 40'003, 8082, "question", "answer");
  EXPECT_TRUE(watch.wait_for_ends(1));
  const auto seen = watch.stop();
  const auto flows = seen.to_port(8082);
  ASSERT_EQ(flows.size(), 1U) << seen.text();
  EXPECT_EQ(flows[0].flow.end, FlowEnd::closed);
}

TEST(Connection, ATupleUsedAgainIsAnotherFlow) {
  const Pair pair;
  FlowWatch watch(pair.left, without_owners());
  for (int i = 0; i < 3; ++i) exchange_tcp(pair.left, pair.right, "10.9.0.2", 40'010, 8080, "again", "and again");
  const auto seen = watch.stop();
  const auto flows = seen.to_port(8080);
  ASSERT_EQ(flows.size(), 3U) << seen.text();
  for (const auto& flow : flows) EXPECT_EQ(flow.flow.end, FlowEnd::closed);
  expect_balanced(seen);
}

TEST(Offload, SegmentsAreCountedAndBytesAreTheInterfaces) {
  const Pair pair;
  FlowWatch watch(pair.left, without_owners());
  const auto sent = interface_counter(pair.left, "veth0", "tx_bytes");
  const auto received = interface_counter(pair.left, "veth0", "rx_bytes");
  exchange_tcp(pair.left, pair.right, "10.9.0.2", 40'002, 8081, std::string(400'000, 'q'), "ok");
  const auto sent_by_now = interface_counter(pair.left, "veth0", "tx_bytes");
  const auto received_by_now = interface_counter(pair.left, "veth0", "rx_bytes");
  const auto seen = watch.stop();
  const auto flows = seen.to_port(8081);
  ASSERT_EQ(flows.size(), 1U) << seen.text();
  EXPECT_EQ(flows[0].flow.sides[0].bytes, sent_by_now - sent);
  EXPECT_EQ(flows[0].flow.sides[1].bytes, received_by_now - received);
  EXPECT_GE(flows[0].flow.sides[0].packets, 400'000U / 1448) << "wire packets, however few skbs they were";
  expect_balanced(seen);
}

// In both directions: a tag that was received lies beside the packet.
TEST(Vlan, IsTold) {
  const Pair pair;
  FlowWatch watch(pair.left, without_owners());
  const auto frame = [](std::uint16_t port) {
    return ethernet({.tags = {{0x8100, 0x6007}}},
                    ipv4({.protocol = 17}, udp({.destination_port = port}, counting(50))));
  };
  send_frame(pair.left, "veth0", frame(1000), 3);
  send_frame(pair.right, "veth1", frame(2000), 4);
  const auto seen = watch.stop();
  for (const std::uint16_t port : {1000, 2000}) {
    const auto flows = seen.to_port(port);
    ASSERT_EQ(flows.size(), 1U) << seen.text();
    EXPECT_EQ(flows[0].flow.vlan, 7);
    EXPECT_EQ(flows[0].flow.packets(), port == 1000 ? 3U : 4U);
    EXPECT_EQ(flows[0].flow.bytes(), (port == 1000 ? 3U : 4U) * frame(port).size());
  }
  expect_balanced(seen);
}

TEST(Interfaces, AreApartUnlessJoined) {
  const Pair pair;
  auto options = without_owners({"veth0", "lo"});
  FlowWatch apart(pair.left, options);
  options.flows.groups = {{"veth0", "lo"}};
  FlowWatch joined(pair.left, options);
  send_udp(pair.left, "10.9.0.2", 1111, 2222, "out");
  send_udp(pair.left, "127.0.0.1", 1111, 3333, "in");
  const auto by_interface = apart.stop();
  const auto together = joined.stop();
  EXPECT_EQ(by_interface.to_port(2222).at(0).flow.interface, "veth0");
  EXPECT_EQ(by_interface.to_port(3333).at(0).flow.interface, "lo");
  EXPECT_EQ(together.to_port(2222).at(0).flow.interface, "veth0+lo");
  EXPECT_EQ(together.to_port(3333).at(0).flow.interface, "veth0+lo");
}

TEST(Interfaces, ComeAndGoWithAny) {
  const NetworkNamespace where;
  const NetworkNamespace other;
  FlowWatch watch(where, without_owners({"any"}));
  add_veth(where, "late0", other, "late1");
  const auto frame = [](std::uint16_t port) {
    return ethernet({.broadcast = true}, ipv4({.protocol = 17}, udp({.destination_port = port}, counting(10))));
  };
  for (int i = 0; i < 600; ++i) {
    send_frame(other, "late1", frame(3333));
    if (watch.wait_for_flows(1, std::chrono::milliseconds{100})) break;
  }
  send_frame(other, "late1", frame(4444), 7);
  ASSERT_TRUE(watch.wait_for_flows(2));
  where.run("ip link delete late0");
  EXPECT_TRUE(watch.wait_for_ends(2));
  const auto seen = watch.stop();
  const auto flows = seen.to_port(4444);
  ASSERT_EQ(flows.size(), 1U) << seen.text();
  EXPECT_EQ(flows[0].flow.packets(), 7U);
  EXPECT_EQ(flows[0].flow.interface, "late0");
  EXPECT_EQ(flows[0].flow.end, FlowEnd::shutdown);
}

}  // namespace
}  // namespace sonde::test
