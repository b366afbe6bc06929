// SPDX-License-Identifier: Apache-2.0
// Where the segment was lost, or that it was not lost at all.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "harness/traffic.hpp"
#include "scenario.hpp"

namespace sonde::test {
namespace {

using namespace std::chrono_literals;

// Only what was really lost is sent again by a fast retransmit, as nothing is reordered here.
void expect_lost_here(const std::vector<Retransmission>& events, const std::string& reason,
                      const std::string& interface, const NetworkNamespace& where) {
  const auto fast = only(events, Kind::fast);
  EXPECT_GT(fast.size(), 0U);
  for (const auto& event : fast) {
    ASSERT_TRUE(event.local_drop) << lines({event});
    EXPECT_EQ(event.local_drop->reason, reason) << lines({event});
    EXPECT_EQ(event.local_drop->interface, interface) << lines({event});
    EXPECT_EQ(event.local_drop->network_namespace, inode(where));
    EXPECT_LE(event.local_drop->wall_ns, event.wall_ns);
  }
}

TEST(RetransmissionCauses, TheSendersOwnQueue) {
  const Pair pair;
  const auto receiver = start_receiver(pair.right);
  pair.left.run("ethtool -K veth0 tso off gso off; tc qdisc add dev veth0 root tbf rate 50mbit burst 15k limit 30k");
  Watch watch;
  const auto program = start_traffic(pair.left, {"send", "10.9.0.2", "5001", "2000000", "4"});
  EXPECT_EQ(program->wait(patience), 0) << program->errors();
  pair.left.run("tc qdisc del dev veth0 root");
  const auto events = watch.stop(pair.left);
  std::vector<Retransmission> sent;
  std::ranges::copy_if(events, std::back_inserter(sent), [](const auto& event) { return event.error == 0; });
  const auto fast = only(sent, Kind::fast);
  ASSERT_GT(fast.size(), 0U) << lines(events);
  std::vector<Retransmission> untold;
  std::ranges::copy_if(fast, std::back_inserter(untold), [](const auto& event) { return !event.local_drop; });
  // What was sent again for nothing had not been lost. A loss in an interrupt may fall into the hook at work on
  // another.
  std::uint64_t needless = 0;
  for (const auto& event : only(events, Kind::spurious)) needless += event.spurious;
  EXPECT_LE(segments(untold), needless + segments(fast) / 50) << watch.loss().stages.front().note << "\n"
                                                              << lines(untold);
  for (const auto& event : fast) {
    if (!event.local_drop) continue;
    // A whole packet that tbf has cut into segments goes without a reason. On a slow machine the receiver's TCP may
    // refuse a segment whose timestamp is older than the last one's.
    const auto& drop = *event.local_drop;
    const bool of_queue = drop.reason == "QDISC_DROP" || drop.function == "tbf_enqueue";
    EXPECT_TRUE(of_queue || drop.reason == "TCP_RFC7323_PAWS") << lines({event});
    EXPECT_EQ(of_queue, drop.interface == "veth0") << lines({event});
  }
}

TEST(RetransmissionCauses, AFilterOfTheReceiverOnThisHost) {
  const Pair pair;
  const auto receiver = start_receiver(pair.right);
  drop_received(pair.right, every(10));
  Watch watch;
  const auto program = start_traffic(pair.left, {"send", "10.9.0.2", "5001", "2000000", "4"});
  EXPECT_EQ(program->wait(patience), 0) << program->errors();
  expect_lost_here(watch.stop(pair.left), "NETFILTER_DROP", "veth1", pair.right);
}

// A device takes the packet and nobody sees it again: for this host it was sent.
TEST(RetransmissionCauses, LostOnTheWire) {
  const Pair pair;
  const auto receiver = start_receiver(pair.right);
  const auto wire = start_traffic(pair.right, {"swallow", "wire"});
  ASSERT_TRUE(wire->wait_for_output_text("swallowing")) << wire->errors();
  pair.right.run(
      "nft 'table netdev loss { chain in { type filter hook ingress device veth1 priority 0; "
      "ip protocol tcp meta length > 200 numgen inc mod 10 0 fwd to wire; }; }'");
  const TcpCounters kernel(pair.left);
  Watch watch;
  const auto program = start_traffic(pair.left, {"send", "10.9.0.2", "5001", "2000000", "4"});
  EXPECT_EQ(program->wait(patience), 0) << program->errors();
  const auto events = watch.stop(pair.left);
  expect_kernel_counts(events, kernel);
  EXPECT_GT(only(events, Kind::fast).size(), 0U);
  for (const auto& event : events) EXPECT_FALSE(event.local_drop) << lines({event});
}

TEST(RetransmissionCauses, ASynThatAFilterOfThisHostEats) {
  const Pair pair;
  drop_received(pair.right, "tcp dport 9");
  Watch watch;
  const auto program = start_traffic(pair.left, {"try_connect", "10.9.0.2", "9", "3.5"});
  EXPECT_EQ(program->wait(patience), 0);
  for (const auto& event : watch.stop(pair.left)) {
    ASSERT_TRUE(event.local_drop) << lines({event});
    EXPECT_EQ(event.local_drop->reason, "NETFILTER_DROP");
  }
}

// The data came; what was lost are the acknowledgments.
TEST(RetransmissionCauses, NeedlessAsTheDuplicatesTell) {
  const Pair pair;
  const auto receiver = start_receiver(pair.right);
  const TcpCounters kernel(pair.left);
  Watch watch;
  const auto program = start_traffic(pair.left, {"send_slowly", "10.9.0.2", "5001", "60", "0.1"});
  EXPECT_TRUE(program->wait_for_output_text("\n", patience));
  std::this_thread::sleep_for(300ms);
  drop_received(pair.left, "tcp sport 5001");
  std::this_thread::sleep_for(900ms);
  stop_dropping(pair.left);
  EXPECT_EQ(program->wait(patience), 0) << program->errors();
  const auto events = watch.stop(pair.left);
  expect_kernel_counts(events, kernel);
  std::uint64_t needless = 0;
  for (const auto& event : only(events, Kind::spurious)) {
    EXPECT_EQ(event.segments, 0U);
    EXPECT_EQ(event.spurious_evidence, "D-SACK") << lines(events);
    EXPECT_EQ(event.socket.local.port, ports_of(*program).begin()->first) << lines({event});
    EXPECT_EQ(event.owner.owner.pid, static_cast<std::uint32_t>(program->pid()));
    needless += event.spurious;
  }
  EXPECT_GT(needless, 0U) << lines(events);
  EXPECT_EQ(needless, std::min(kernel.grown("TCPDSACKRecvSegs"), kernel.grown("RetransSegs"))) << lines(events);
  for (const auto& event : events) EXPECT_FALSE(event.local_drop) << lines({event});
}

// The acknowledgments come late, so the timer fires for nothing; their timestamps give it away.
TEST(RetransmissionCauses, NeedlessAsTheTimestampsTell) {
  const Pair pair;
  const auto receiver = start_receiver(pair.right);
  const TcpCounters kernel(pair.left);
  Watch watch;
  const auto program = start_traffic(pair.left, {"send_slowly", "10.9.0.2", "5001", "60", "0.1"});
  EXPECT_TRUE(program->wait_for_output_text("\n", patience));
  std::this_thread::sleep_for(300ms);
  pair.right.run("tc qdisc add dev veth1 root tbf rate 1kbit burst 100 limit 100000");
  std::this_thread::sleep_for(800ms);
  pair.right.run("tc qdisc change dev veth1 root tbf rate 1gbit burst 64k limit 100000");
  EXPECT_EQ(program->wait(patience), 0) << program->errors();
  const auto events = watch.stop(pair.left);
  expect_kernel_counts(events, kernel);
  const auto spurious = only(events, Kind::spurious);
  const auto by_undo = std::ranges::count(spurious, "F-RTO or timestamps", &Retransmission::spurious_evidence);
  EXPECT_GT(by_undo, 0) << lines(events);
  EXPECT_GT(kernel.grown("TCPLossUndo") + kernel.grown("TCPFullUndo") + kernel.grown("TCPSpuriousRTOs"), 0U);
  std::uint64_t needless = 0;
  for (const auto& event : spurious) needless += event.spurious;
  EXPECT_LE(needless, kernel.grown("RetransSegs")) << lines(events);
}

// A network that duplicates packets makes D-SACKs for data that was sent once.
TEST(RetransmissionCauses, DuplicatesOfTheNetworkAreNotOurs) {
  const Pair pair;
  const auto receiver = start_receiver(pair.right);
  const auto address = pair.right.run("ip -br link show veth1 | grep -o '..:..:..:..:..:..'");
  pair.right.run("ip link add copya type veth peer name copyb && ip link set copya up && ip link set copyb address " +
                 address.substr(0, 17) +
                 " up && sysctl -qw net.ipv4.conf.all.rp_filter=0 && "
                 "sysctl -qw net.ipv4.conf.copyb.rp_filter=0");
  pair.right.run(
      "nft 'table netdev twice { chain in { type filter hook ingress device veth1 priority 0; "
      "ip protocol tcp meta length > 100 numgen inc mod 3 0 dup to copya; }; }'");
  const TcpCounters kernel(pair.left);
  Watch watch;
  const auto program = start_traffic(pair.left, {"send_slowly", "10.9.0.2", "5001", "30", "0.02"});
  EXPECT_EQ(program->wait(patience), 0) << program->errors();
  const auto events = watch.stop(pair.left);
  EXPECT_GT(kernel.grown("TCPDSACKRecv"), 0U);
  EXPECT_TRUE(events.empty()) << lines(events);
}

}  // namespace
}  // namespace sonde::test
