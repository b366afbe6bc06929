// SPDX-License-Identifier: Apache-2.0
// Nothing is lost or counted twice when the table overflows, and while flows are removed under traffic.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "flow_watch.hpp"
#include "harness/process.hpp"
#include "harness/traffic.hpp"

namespace sonde::test {
namespace {

std::uint64_t packets(const NetworkNamespace& where) {
  return interface_counter(where, "veth0", "rx_packets") + interface_counter(where, "veth0", "tx_packets");
}

Bytes frame_of(std::uint32_t flow) {
  return ethernet(
      {.broadcast = true},
      ipv4({.protocol = 17, .source = {10, 1, static_cast<std::uint8_t>(flow >> 8), static_cast<std::uint8_t>(flow)}},
           udp({.destination_port = 9}, counting(flow % 100))));
}

class Hooks : public testing::TestWithParam<packets::XdpChoice> {};

TEST_P(Hooks, ATableThatOverflowsLosesNothing) {
  const Pair pair;
  FlowWatchOptions options;
  options.flows.max_flows = 64;
  options.flows.attach.xdp = GetParam();
  options.flows.owners = packets::OwnersChoice::off;
  options.flows.buffer_bytes = 32 * 1024 * 1024;
  FlowWatch watch(pair.left, options);
  const auto before = packets(pair.left);
  std::vector<Bytes> frames;
  for (std::uint32_t round = 0; round < 3; ++round)
    for (std::uint32_t flow = 0; flow < 5000; ++flow) frames.push_back(frame_of(flow));
  send_frames(pair.right, "veth1", frames);
  const auto seen = watch.stop();
  expect_balanced(seen);
  EXPECT_EQ(seen.sum().packets, frames.size());
  EXPECT_EQ(seen.stage("hook").taken, packets(pair.left) - before);
  EXPECT_EQ(seen.by_id.size(), 5000U) << "no flow has found room after its first packet had not";
  for (const auto& [id, flow] : seen.by_id) ASSERT_EQ(flow.flow.packets(), 3U) << flow.flow.sides[0].endpoint.text();
}

// Table and ring both too small: the rest is counted as lost.
TEST_P(Hooks, WhatIsLostIsCounted) {
  const Pair pair;
  FlowWatchOptions options;
  options.flows.max_flows = 1;
  options.flows.attach.xdp = GetParam();
  options.flows.owners = packets::OwnersChoice::off;
  options.flows.buffer_bytes = 4096;
  options.interval = std::chrono::seconds(3);
  std::vector<Bytes> frames;
  for (std::uint32_t flow = 0; flow < 20'000; ++flow) frames.push_back(frame_of(flow));
  FlowWatch watch(pair.left, options);
  watch.hold();
  send_frames(pair.right, "veth1", frames);
  const auto seen = watch.stop();
  EXPECT_TRUE(LossReport{seen.loss}.balanced());
  EXPECT_GT(seen.stage("flows").lost, 0U);
  EXPECT_EQ(seen.stage("flows").taken, frames.size());
  EXPECT_EQ(seen.sum().packets + seen.stage("flows").lost, frames.size());
}

// Every collection ends every flow as idle while packets come as fast as they can be sent: each removal races with the
// programs on the other CPU.
TEST_P(Hooks, RemovalUnderTrafficIsExact) {
  const Pair pair;
  FlowWatchOptions options;
  options.flows.attach.xdp = GetParam();
  options.flows.owners = packets::OwnersChoice::off;
  options.flows.idle_timeout = std::chrono::nanoseconds(0);
  options.interval = std::chrono::milliseconds(0);
  FlowWatch watch(pair.left, options);
  const auto before = packets(pair.left);
  std::atomic<bool> stop = false;
  std::uint64_t sent = 0;
  std::thread sender([&] {
    std::vector<Bytes> frames;
    for (std::uint32_t i = 0; i < 2000; ++i) frames.push_back(frame_of(i % 4));
    while (!stop) {
      send_frames(pair.right, "veth1", frames);
      sent += frames.size();
    }
  });
  const auto least = std::chrono::steady_clock::now() + std::chrono::seconds(4);
  EXPECT_TRUE(watch.wait_for_ends(200)) << "flows were removed and began again";
  std::this_thread::sleep_until(least);
  stop = true;
  sender.join();
  const auto seen = watch.stop();
  expect_balanced(seen);
  EXPECT_EQ(seen.sum().packets, sent);
  EXPECT_EQ(seen.stage("hook").taken, packets(pair.left) - before);
}

// Two bulk connections and a stream of small packets, both ways, on both CPUs.
TEST_P(Hooks, TotalsUnderLoadAreTheInterfaces) {
  const Pair pair;
  for (const auto* where : {&pair.left, &pair.right}) {
    const std::string device = where == &pair.left ? "veth0" : "veth1";
    where->run("ethtool -K " + device + " tso off gso off gro off");  // the interface counts what is on its wire
  }
  FlowWatchOptions options;
  options.flows.attach.xdp = GetParam();
  options.flows.totals = true;
  options.interval = std::chrono::milliseconds(20);
  FlowWatch watch(pair.left, options);
  const auto before = packets(pair.left);
  Process there(pair.right, {"sh", "-c", "nc -d -l -p 9100 > /dev/null & nc -d -l -p 9101 > /dev/null & wait"});
  wait_for_listener(pair.right, 9100);
  wait_for_listener(pair.right, 9101);
  Process first(pair.left, {"sh", "-c", "head -c 60000000 /dev/zero | nc -q 1 10.9.0.2 9100"});
  Process second(pair.left, {"sh", "-c", "head -c 60000000 /dev/zero | nc -q 1 10.9.0.2 9101"});
  std::vector<Bytes> frames;
  for (std::uint32_t flow = 0; flow < 3000; ++flow) frames.push_back(frame_of(flow));
  for (int i = 0; i < 20; ++i) send_frames(pair.right, "veth1", frames);
  EXPECT_EQ(first.wait(), 0) << first.errors();
  EXPECT_EQ(second.wait(), 0) << second.errors();
  EXPECT_EQ(there.wait(), 0) << there.errors();
  const auto seen = watch.stop();
  expect_balanced(seen);
  const auto counted = packets(pair.left) - before;
  EXPECT_GT(counted, 140'000U);
  EXPECT_EQ(seen.stage("hook").taken, counted);
  EXPECT_EQ(seen.sum().packets, counted);
}

INSTANTIATE_TEST_SUITE_P(All, Hooks, testing::Values(packets::XdpChoice::off, packets::XdpChoice::native));

}  // namespace
}  // namespace sonde::test
