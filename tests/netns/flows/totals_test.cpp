// SPDX-License-Identifier: Apache-2.0
// Every packet in one flow: sums are those of the interface's own counters.
#include <gtest/gtest.h>

#include <random>

#include "flow_watch.hpp"
#include "harness/traffic.hpp"

namespace sonde::test {
namespace {

struct Counters {
  std::uint64_t packets, bytes;
};

// Received and sent.
Counters read_counters(const NetworkNamespace& where) {
  const auto one = [&](const char* name) { return interface_counter(where, "veth0", name); };
  return {one("rx_packets") + one("tx_packets"), one("rx_bytes") + one("tx_bytes")};
}

// UDP, other IP and ARP, between many ports.
std::vector<Bytes> mixed_frames(std::size_t count, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<Bytes> frames;
  frames.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto payload = counting(random() % 1400);
    const auto port = static_cast<std::uint16_t>(1024 + random() % 300);
    if (i % 100 == 0)
      frames.push_back(ethernet({.type = ether_arp, .broadcast = true}, arp_request()));
    else if (i % 3 == 0)
      frames.push_back(ethernet({.broadcast = true}, ipv4({.protocol = 253}, payload)));
    else
      frames.push_back(ethernet({.broadcast = true}, ipv4({.protocol = 17}, udp({.source_port = port}, payload))));
  }
  return frames;
}

class Totals : public testing::TestWithParam<packets::XdpChoice> {};

TEST_P(Totals, EqualTheInterfaceCounters) {
  const Pair pair;
  FlowWatchOptions options;
  options.flows.attach.xdp = GetParam();
  options.flows.totals = true;
  FlowWatch watch(pair.left, options);
  const auto before = read_counters(pair.left);
  send_frames(pair.left, "veth0", mixed_frames(4000, 1));
  send_frames(pair.right, "veth1", mixed_frames(5000, 2));
  exchange_tcp(pair.left, pair.right, "10.9.0.2", 40'001, 8080, "question", "answer");
  const auto seen = watch.stop();
  const auto after = read_counters(pair.left);
  expect_balanced(seen);
  EXPECT_EQ(seen.stage("hook").taken, after.packets - before.packets);
  EXPECT_EQ(seen.stage("hook").filtered, 90U) << "the ARP packets";
  std::uint64_t totals = 0;
  for (const auto& [ifindex, directions] : seen.totals)
    for (const auto& direction : directions)
      for (const auto& count : direction) totals += count.packets;
  EXPECT_EQ(totals, after.packets - before.packets);
  EXPECT_EQ(seen.to_port(53).size(), 300U);
  ASSERT_EQ(seen.to_port(8080).size(), 1U) << seen.text();
}

INSTANTIATE_TEST_SUITE_P(Hooks, Totals,
                         testing::Values(packets::XdpChoice::off, packets::XdpChoice::native,
                                         packets::XdpChoice::generic));

}  // namespace
}  // namespace sonde::test
