// SPDX-License-Identifier: Apache-2.0
// taken = given + filtered + lost, exactly, against the sender's own count.
#include <gmock/gmock.h>

#include <atomic>
#include <map>
#include <thread>

#include "frames.hpp"

namespace sonde::test {
namespace {

class Workers : public ::testing::TestWithParam<unsigned> {};

TEST_P(Workers, EveryPacketIsSeenOnce) {
  constexpr std::size_t count = 60'000;
  const Joined joined;
  const auto source = open_in(joined.right, options_for("veth1", GetParam()));
  std::jthread sender([&] { send_udp(joined.left, "veth0", 1000, count); });
  auto seen = read_some(*source, count, std::chrono::seconds{20});
  sender.join();
  auto rest = stop_and_drain(*source);
  seen.packets.insert(seen.packets.end(), rest.packets.begin(), rest.packets.end());
  EXPECT_TRUE(source->finished());
  EXPECT_EQ(seen.packets.size() + source->loss()[0].lost, count);
  EXPECT_EQ(source->loss()[0].taken, count);
  EXPECT_TRUE(balanced(*source));
  std::map<std::uint16_t, std::size_t> ports;
  for (const auto& packet : seen.packets) EXPECT_EQ(++ports[packet.event.source_port], 1U);
}

// The reader does nothing until the ring is far too full.
TEST_P(Workers, OverloadIsCountedExactly) {
  constexpr std::size_t count = 40'000;
  const Joined joined;
  auto options = options_for("veth1", GetParam());
  options.ring_bytes = 1 << 20;
  FilterOptions filter;
  filter.source_ports = {"0-1099", "1200-65535"};
  const auto source = open_in(joined.right, options, filter);
  std::uint64_t lost_so_far = 0;
  for (int part = 0; part < 4; ++part) {
    send_udp(joined.left, "veth0", 1000, count / 4, 1000);
    EXPECT_TRUE(balanced(*source));
    lost_so_far = source->loss()[0].lost;  // looking resets the kernel's counters: they must add up over several looks
  }
  const auto seen = stop_and_drain(*source);
  const auto loss = source->loss();
  EXPECT_EQ(loss[0].taken, count);
  EXPECT_EQ(interface_counter(joined.right, "veth1", "rx_packets"), count);
  EXPECT_GT(loss[0].lost, 0U);
  EXPECT_EQ(loss[0].lost, lost_so_far);
  EXPECT_GT(loss[1].filtered, 0U);
  EXPECT_EQ(loss[1].given, seen.packets.size());
  EXPECT_TRUE(balanced(*source));
}

TEST_P(Workers, PacketsAfterStopAreNotTaken) {
  const Joined joined;
  const auto source = open_in(joined.right, options_for("veth1", GetParam()));
  send_udp(joined.left, "veth0", 1000, 1000);
  ASSERT_TRUE(source->stop());
  send_udp(joined.left, "veth0", 1000, 1000);
  EXPECT_EQ(stop_and_drain(*source).packets.size(), 1000U);
  EXPECT_EQ(source->loss()[0].taken, 1000U);
}

// stop() while packets come in: whatever was taken is accounted for, and what was not is not.
TEST_P(Workers, StopUnderLoadIsExact) {
  const Joined joined;
  const auto source = open_in(joined.right, options_for("veth1", GetParam()));
  std::atomic<bool> enough = false;
  std::jthread sender([&] {
    while (!enough) send_udp(joined.left, "veth0", 1000, 500);
  });
  auto seen = read_some(*source, 2000, std::chrono::seconds{10}).packets.size();
  seen += stop_and_drain(*source).packets.size();
  enough = true;
  EXPECT_TRUE(balanced(*source));
  EXPECT_EQ(source->loss()[1].given, seen);
  EXPECT_EQ(source->loss()[0].lost, 0U);
}

TEST_P(Workers, ClosingWithoutStopIsClean) {
  const Joined joined;
  const auto source = open_in(joined.right, options_for("veth1", GetParam()));
  send_udp(joined.left, "veth0", 1000, 100);
}

INSTANTIATE_TEST_SUITE_P(Fanout, Workers, ::testing::Values(1, 4));

}  // namespace
}  // namespace sonde::test
