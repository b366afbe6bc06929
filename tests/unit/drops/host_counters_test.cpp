// SPDX-License-Identifier: Apache-2.0
#include "sensors/drops/host_counters.hpp"

#include <gtest/gtest.h>
#include <linux/gen_stats.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include <cstring>
#include <vector>

#include "sensors/drops/driver_counters.hpp"

namespace sonde::drops {
namespace {

std::uint64_t value_of(const HostCounters& counters, const std::string& where, const std::string& name) {
  for (const auto& counter : counters)
    if (counter.where == where && counter.name == name) return counter.value;
  return ~0ULL;
}

TEST(Softnet, ColumnsAndCpuNumber) {
  const auto counters = parse_softnet(
      "0000ffff 00000010 0000000a 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 "
      "00000000 00000000 00000000\n"
      "00000001 00000000 00000002 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 "
      "00000005 00000000 00000000\n");
  ASSERT_EQ(counters.size(), 4U);
  EXPECT_EQ(value_of(counters, "cpu0", "dropped"), 16U);
  EXPECT_EQ(value_of(counters, "cpu0", "time_squeeze"), 10U);
  EXPECT_EQ(value_of(counters, "cpu5", "time_squeeze"), 2U);
}

TEST(Softnet, OlderKernelsGiveFewerColumns) {
  const auto counters = parse_softnet("00000001 00000003 00000000 00000000\n00000001 00000004 00000000 00000000");
  EXPECT_EQ(value_of(counters, "cpu0", "dropped"), 3U);
  EXPECT_EQ(value_of(counters, "cpu1", "dropped"), 4U);
  EXPECT_TRUE(parse_softnet("").empty());
  EXPECT_TRUE(parse_softnet("rubbish\n1\n").empty());
}

TEST(Netstat, PairsOfLines) {
  const auto counters = parse_netstat(
      "TcpExt: SyncookiesSent ListenOverflows ListenDrops\nTcpExt: 1 22 33\nIpExt: InNoRoutes\nIpExt: 5\n");
  ASSERT_EQ(counters.size(), 2U);
  EXPECT_EQ(value_of(counters, "listen queues", "ListenOverflows"), 22U);
  EXPECT_EQ(value_of(counters, "listen queues", "ListenDrops"), 33U);
  EXPECT_TRUE(parse_netstat("TcpExt: ListenDrops\n").empty());
}

/// A message in the making.
class Message {
 public:
  Message(std::uint16_t type, const void* fixed, std::size_t size) : bytes_(NLMSG_LENGTH(0)) {
    append(fixed, size);
    header()->nlmsg_type = type;
  }

  Message& add(std::uint16_t type, const void* value, std::size_t size) {
    const rtattr attribute{static_cast<unsigned short>(RTA_LENGTH(size)), type};
    append(&attribute, sizeof(attribute));
    append(value, size);
    return *this;
  }

  const nlmsghdr& get() {
    header()->nlmsg_len = static_cast<__u32>(bytes_.size());
    return *header();
  }

 private:
  nlmsghdr* header() { return reinterpret_cast<nlmsghdr*>(bytes_.data()); }
  void append(const void* value, std::size_t size) {
    const auto* first = static_cast<const std::uint8_t*>(value);
    bytes_.insert(bytes_.end(), first, first + size);
    bytes_.resize(NLMSG_ALIGN(bytes_.size()));
  }

  std::vector<std::uint8_t> bytes_;
};

TEST(Qdisc, DropsOfItsQueue) {
  tcmsg fixed{};
  fixed.tcm_handle = 0x80010000;
  gnet_stats_queue queue{};
  queue.drops = 77;
  std::vector<std::uint8_t> nested(RTA_LENGTH(sizeof(queue)));
  const rtattr inner{static_cast<unsigned short>(nested.size()), TCA_STATS_QUEUE};
  std::memcpy(nested.data(), &inner, sizeof(inner));
  std::memcpy(nested.data() + RTA_LENGTH(0), &queue, sizeof(queue));
  Message message(RTM_NEWQDISC, &fixed, sizeof(fixed));
  message.add(TCA_KIND, "tbf", 4).add(TCA_STATS2, nested.data(), nested.size());
  const auto counters = parse_qdisc(message.get(), "eth0");
  ASSERT_EQ(counters.size(), 1U);
  EXPECT_EQ(counters[0].source, "qdisc");
  EXPECT_EQ(value_of(counters, "eth0 tbf 8001:", "drops"), 77U);
  Message without(RTM_NEWQDISC, &fixed, sizeof(fixed));
  EXPECT_TRUE(parse_qdisc(without.get(), "eth0").empty());
}

TEST(Link, ItsStatistics) {
  const ifinfomsg fixed{};
  rtnl_link_stats64 statistics{};
  statistics.rx_dropped = 1;
  statistics.rx_missed_errors = 2;
  statistics.tx_dropped = 3;
  Message message(RTM_NEWLINK, &fixed, sizeof(fixed));
  message.add(IFLA_IFNAME, "eth0", 5).add(IFLA_STATS64, &statistics, sizeof(statistics));
  const auto counters = parse_link(message.get());
  EXPECT_EQ(value_of(counters, "eth0", "rx_dropped"), 1U);
  EXPECT_EQ(value_of(counters, "eth0", "rx_missed_errors"), 2U);
  EXPECT_EQ(value_of(counters, "eth0", "tx_dropped"), 3U);
  EXPECT_EQ(value_of(counters, "eth0", "rx_errors"), 0U);
}

TEST(Driver, WhichCountersCountLoss) {
  EXPECT_TRUE(counts_loss("rx_queue_0_xdp_drops"));
  EXPECT_TRUE(counts_loss("rx_discards_phy"));
  EXPECT_TRUE(counts_loss("port.rx_dropped"));
  EXPECT_TRUE(counts_loss("rx_no_buffer_count"));
  EXPECT_FALSE(counts_loss("rx_packets"));
  EXPECT_FALSE(counts_loss("xdp_redirect"));
}

TEST(Growth, OnlyWhatHasGrown) {
  const HostCounters before = {{"a", "x", "n", 5}, {"a", "y", "n", 5}, {"a", "z", "n", 5}};
  const HostCounters after = {{"a", "x", "n", 7}, {"a", "y", "n", 5}, {"a", "z", "n", 2}, {"a", "new", "n", 3}};
  const auto grown = host_counter_growth(before, after);
  ASSERT_EQ(grown.size(), 3U);
  EXPECT_EQ(value_of(grown, "x", "n"), 2U);
  EXPECT_EQ(value_of(grown, "z", "n"), 2U) << "made anew";
  EXPECT_EQ(value_of(grown, "new", "n"), 3U);
}

}  // namespace
}  // namespace sonde::drops
