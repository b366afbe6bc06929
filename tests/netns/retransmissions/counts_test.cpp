// SPDX-License-Identifier: Apache-2.0
// As many segments as the kernel counts, of the kinds that it counts.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>

#include "harness/traffic.hpp"
#include "scenario.hpp"

namespace sonde::test {
namespace {

using namespace std::chrono_literals;

// As many as the sockets' own counters say (TCP_INFO).
void expect_socket_counts(const std::vector<Retransmission>& events,
                          const std::vector<std::unique_ptr<Process>>& programs) {
  std::map<std::uint16_t, std::uint64_t> told;
  for (const auto& event : events) told[event.socket.local.port] += event.segments + event.unreported;
  std::size_t sockets = 0;
  for (const auto& program : programs) {
    for (const auto& [port, counted] : retransmitted_by(*program)) {
      std::vector<Retransmission> its;
      std::ranges::copy_if(events, std::back_inserter(its),
                           [port = port](const auto& event) { return event.socket.local.port == port; });
      EXPECT_EQ(told[port], counted) << "port " << port << "\n" << lines(its);
      ++sockets;
    }
  }
  EXPECT_GE(sockets, told.size());
}

// 200 connections of 20 processes, while other processes keep every CPU busy: softirq interrupts the wrong ones.
TEST(RetransmissionCounts, EqualTheKernelsAndNameTheSenders) {
  const Pair pair;
  const auto receiver = start_receiver(pair.right);
  const auto burner = start_traffic(pair.left, {"burn"});
  const auto other_burner = start_traffic(pair.left, {"burn"});
  drop_received(pair.right, every(12));
  const TcpCounters kernel(pair.left);
  Watch watch;
  std::vector<std::unique_ptr<Process>> programs;
  programs.reserve(20);
  for (int i = 0; i < 20; ++i)
    programs.push_back(start_traffic(pair.left, {"send", "10.9.0.2", "5001", "300000", "10"}));
  std::map<std::uint16_t, std::uint32_t> senders;
  for (const auto& program : programs) {
    EXPECT_EQ(program->wait(patience), 0) << program->errors();
    senders.merge(ports_of(*program));
  }
  EXPECT_EQ(senders.size(), 200U);
  const auto events = watch.stop(pair.left);
  expect_kernel_counts(events, kernel);
  expect_socket_counts(events, programs);
  expect_senders(events, senders);
  EXPECT_GT(segments(events), 200U);
  EXPECT_GT(segments(events, {Kind::fast}), 0U);
}

TEST(RetransmissionCounts, ATailThatIsLostIsProbed) {
  const Pair pair;
  const auto receiver = start_receiver(pair.right);
  drop_received(pair.right, every(4, "100"));
  const TcpCounters kernel(pair.left);
  Watch watch;
  const auto program = start_traffic(pair.left, {"send_slowly", "10.9.0.2", "5001", "15", "0.3"});
  EXPECT_EQ(program->wait(patience), 0) << program->errors();
  const auto events = watch.stop(pair.left);
  expect_kernel_counts(events, kernel);
  expect_senders(events, ports_of(*program));
  EXPECT_GT(segments(events, {Kind::tlp}), 2U);
  expect_kind(events, {Kind::tlp}, kernel.grown("TCPLossProbes"));
}

TEST(RetransmissionCounts, WithoutProbesTheTimerFires) {
  const Pair pair;
  pair.left.run("sysctl -qw net.ipv4.tcp_early_retrans=0");
  const auto receiver = start_receiver(pair.right);
  drop_received(pair.right, every(4, "100"));
  const TcpCounters kernel(pair.left);
  Watch watch;
  const auto program = start_traffic(pair.left, {"send_slowly", "10.9.0.2", "5001", "15", "0.3"});
  EXPECT_EQ(program->wait(patience), 0) << program->errors();
  const auto events = watch.stop(pair.left);
  expect_kernel_counts(events, kernel);
  EXPECT_GT(segments(events, {Kind::rto}), 2U);
  EXPECT_EQ(only(events, Kind::rto).size(), kernel.grown("TCPTimeouts")) << lines(events);
  EXPECT_TRUE(only(events, Kind::tlp).empty()) << lines(events);
  for (const auto& event : only(events, Kind::rto)) {
    EXPECT_GE(event.rto_ms, 200U);  // TCP_RTO_MIN
    EXPECT_LE(event.rto_ms, 120'000U);
    EXPECT_GT(event.smoothed_rtt_us, 0U);
  }
}

TEST(RetransmissionCounts, AfterABlackoutAcknowledgmentsDriveTheRest) {
  const Pair pair;
  const auto receiver = start_receiver(pair.right);
  const TcpCounters kernel(pair.left);
  Watch watch;
  const auto program = start_traffic(pair.left, {"send", "10.9.0.2", "5001", "100000000", "2"});
  EXPECT_TRUE(program->wait_for_output_text("\n", patience));
  drop_received(pair.right, "meta l4proto tcp meta length > 100");
  std::this_thread::sleep_for(1500ms);
  stop_dropping(pair.right);
  EXPECT_EQ(program->wait(patience), 0) << program->errors();
  const auto events = watch.stop(pair.left);
  expect_kernel_counts(events, kernel);
  EXPECT_GT(segments(events, {Kind::rto}), 1U) << lines(events);
  EXPECT_GT(segments(events, {Kind::loss}), 0U) << lines(events);
}

TEST(RetransmissionCounts, ASynThatNobodyAnswers) {
  const Pair pair;
  drop_received(pair.right, "tcp dport 9");
  const TcpCounters kernel(pair.left);
  Watch watch;
  const auto program = start_traffic(pair.left, {"try_connect", "10.9.0.2", "9", "3.5"});
  EXPECT_EQ(program->wait(patience), 0) << program->errors();
  const auto events = watch.stop(pair.left);
  expect_kernel_counts(events, kernel);
  ASSERT_GE(only(events, Kind::syn).size(), 1U) << lines(events);
  EXPECT_EQ(only(events, Kind::syn).size(), events.size()) << lines(events);
  expect_senders(events, ports_of(*program));
  const auto& first = events.front();
  EXPECT_STREQ(tcp_state_name(first.socket.state), "SYN-SENT");
  EXPECT_EQ(first.socket.remote.text(), "10.9.0.2:9");
  EXPECT_EQ(first.end_sequence, first.sequence + 1);
  EXPECT_EQ(first.socket_total, 1U);
}

TEST(RetransmissionCounts, ASynAckThatNobodyAnswers) {
  const Pair pair;
  const auto server = start_traffic(pair.left, {"serve", "10.9.0.1", "5001", "100"});
  ASSERT_TRUE(server->wait_for_output_text("listening", patience));
  drop_received(pair.right, "tcp sport 5001");
  const TcpCounters kernel(pair.left);
  Watch watch;
  const auto client = start_traffic(pair.right, {"try_connect", "10.9.0.1", "5001", "3.5"});
  EXPECT_EQ(client->wait(patience), 0) << client->errors();
  const auto events = watch.stop(pair.left);
  expect_kernel_counts(events, kernel);
  ASSERT_GE(only(events, Kind::syn_ack).size(), 1U) << lines(events);
  for (const auto& event : events) {
    EXPECT_EQ(event.kind, Kind::syn_ack) << lines({event});
    EXPECT_EQ(event.owner.owner.pid, static_cast<std::uint32_t>(server->pid())) << lines({event});
    EXPECT_EQ(event.socket.local.text(), "10.9.0.1:5001");
    EXPECT_EQ(event.socket.remote.port, ports_of(*client).begin()->first);
    EXPECT_EQ(event.socket.remote.address_text(), "10.9.0.2");
  }
  EXPECT_EQ(events.front().socket_total, 1U);
}

// A router with a smaller MTU says so by ICMP.
TEST(RetransmissionCounts, ThePathsMtuShrinks) {
  const NetworkNamespace left, router, right;
  add_veth(left, "veth0", router, "west");
  add_veth(router, "east", right, "veth1");
  left.run("ip addr add 10.9.1.1/24 dev veth0 && ip route add default via 10.9.1.2");
  router.run(
      "ip addr add 10.9.1.2/24 dev west && ip addr add 10.9.2.2/24 dev east && ip link set east mtu 1000 && "
      "sysctl -qw net.ipv4.ip_forward=1");
  right.run("ip addr add 10.9.2.1/24 dev veth1 && ip route add default via 10.9.2.2");
  const auto receiver = start_receiver(right, "10.9.2.1");
  const TcpCounters kernel(left);
  Watch watch;
  const auto program = start_traffic(left, {"send", "10.9.2.1", "5001", "100000"});
  EXPECT_EQ(program->wait(patience), 0) << program->errors();
  const auto events = watch.stop(left);
  expect_kernel_counts(events, kernel);
  EXPECT_GT(only(events, Kind::path_mtu).size(), 0U) << lines(events);
}

// The queue of the sender's own interface refuses: also what fails to be sent is counted.
TEST(RetransmissionCounts, WhatTheQueueRefusesIsCountedToo) {
  const Pair pair;
  const auto receiver = start_receiver(pair.right);
  const TcpCounters kernel(pair.left);
  pair.left.run("ethtool -K veth0 tso off gso off; tc qdisc add dev veth0 root tbf rate 20mbit burst 6k limit 9k");
  Watch watch;
  const auto program = start_traffic(pair.left, {"send", "10.9.0.2", "5001", "400000", "6"});
  EXPECT_EQ(program->wait(patience), 0) << program->errors();
  pair.left.run("tc qdisc del dev veth0 root");
  const auto events = watch.stop(pair.left);
  expect_kernel_counts(events, kernel);
  expect_senders(only(events, Kind::fast), ports_of(*program));
  EXPECT_GT(kernel.grown("TCPRetransFail"), 0U);
}

TEST(RetransmissionCounts, NothingLostNothingTold) {
  const Pair pair;
  const auto receiver = start_receiver(pair.right);
  const TcpCounters kernel(pair.left);
  Watch watch;
  const auto program = start_traffic(pair.left, {"send", "10.9.0.2", "5001", "2000000", "4"});
  EXPECT_EQ(program->wait(patience), 0) << program->errors();
  const auto events = watch.stop(pair.left);
  expect_kernel_counts(events, kernel);
}

}  // namespace
}  // namespace sonde::test
