// SPDX-License-Identifier: Apache-2.0
// NetworkMonitor with sonde's own programs, through the public API alone.
#include "sonde/monitor.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <stdexcept>
#include <vector>

#include "harness/traffic.hpp"

namespace sonde::test {
namespace {

Bytes frame(std::uint16_t port = 53, std::size_t payload = 58) {
  return ethernet({.broadcast = true}, ipv4({.protocol = 17}, udp({.destination_port = port}, counting(payload))));
}

const PacketCount& udp_of(const PacketStats& stats, int direction) {
  return stats.interfaces.at(
      "veth0")[static_cast<std::size_t>(direction)][static_cast<std::size_t>(ProtocolClass::udp)];
}

NetworkMonitor attached(const Pair& pair, const MonitorOptions& options = {}) {
  std::optional<NetworkMonitor> monitor;
  pair.left.call([&] {
    auto made = NetworkMonitor::make(options);
    if (!made) throw std::runtime_error(made.error().text());
    monitor.emplace(std::move(*made));
    if (auto done = monitor->attach("veth0"); !done) throw std::runtime_error(done.error().text());
  });
  return std::move(*monitor);
}

class Monitor : public testing::TestWithParam<const char*> {};

TEST_P(Monitor, StatsEqualTheInterfaceCounters) {
  const Pair pair;
  auto monitor = attached(pair, {.filter = {}, .xdp_mode = GetParam()});
  const auto rx = interface_counter(pair.left, "veth0", "rx_packets");
  const auto tx = interface_counter(pair.left, "veth0", "tx_packets");
  send_frame(pair.right, "veth1", frame(), 700);
  send_frame(pair.left, "veth0", frame(), 300);
  const auto stats = monitor.packet_stats();
  ASSERT_TRUE(stats) << stats.error().text();
  EXPECT_EQ(stats->sum(SONDE_DIRECTION_IN).packets, interface_counter(pair.left, "veth0", "rx_packets") - rx);
  EXPECT_EQ(stats->sum(SONDE_DIRECTION_OUT).packets, interface_counter(pair.left, "veth0", "tx_packets") - tx);
  EXPECT_EQ(udp_of(*stats, SONDE_DIRECTION_IN).packets, 700U);
  EXPECT_EQ(udp_of(*stats, SONDE_DIRECTION_IN).bytes, 70'000U);
  EXPECT_EQ(udp_of(*stats, SONDE_DIRECTION_OUT).packets, 300U);
  EXPECT_EQ(stats->totals()[0][1].packets, 700U);
  ASSERT_EQ(monitor.notices().size(), 1U);
  EXPECT_EQ(monitor.notices()[0].find("veth0: in by"), 0U);
  monitor.close();
  const auto after = monitor.packet_stats();
  ASSERT_TRUE(after) << "also after close()";
  EXPECT_EQ(after->sum(SONDE_DIRECTION_IN).packets, 700U);
  EXPECT_EQ(monitor.loss().lost(), 0U);
  EXPECT_TRUE(monitor.loss().balanced());
}

INSTANTIATE_TEST_SUITE_P(Hooks, Monitor, testing::Values("off", "native", "generic", "auto"));

TEST(MonitorEvents, ComeFromStartOnAndAllBeforeClose) {
  const Pair pair;
  auto monitor = attached(pair, {.filter = {}, .snaplen = 65'535});
  send_frame(pair.right, "veth1", frame(1));  // counted only
  std::vector<Bytes> seen;                    // by the monitor's thread until close()
  ASSERT_TRUE(
      monitor.start([&](const Packet& packet) { seen.emplace_back(packet.bytes().begin(), packet.bytes().end()); }));
  EXPECT_FALSE(monitor.start([](const Packet&) {})) << "it runs already";
  for (std::uint16_t port = 100; port < 600; ++port) send_frame(pair.right, "veth1", frame(port));
  monitor.close();
  ASSERT_EQ(seen.size(), 500U);
  for (std::uint16_t i = 0; i < 500; ++i) EXPECT_EQ(seen[i], frame(static_cast<std::uint16_t>(100 + i)));
  EXPECT_EQ(udp_of(*monitor.packet_stats(), SONDE_DIRECTION_IN).packets, 501U);
  const auto loss = monitor.loss();
  EXPECT_TRUE(loss.balanced());
  EXPECT_EQ(loss.stages.front().taken, 501U);
  EXPECT_EQ(loss.stages.front().filtered, 1U);
}

TEST(MonitorEvents, AreFiltered) {
  const Pair pair;
  MonitorOptions options;
  options.filter.ports = {"53"};
  auto monitor = attached(pair, options);
  std::atomic<int> events = 0;
  ASSERT_TRUE(monitor.start([&](const Packet& packet) {
    ++events;
    EXPECT_EQ(packet.event->destination_port, 53);
    EXPECT_TRUE(packet.bytes().empty());
  }));
  send_frame(pair.right, "veth1", frame(53), 5);
  send_frame(pair.right, "veth1", frame(54), 7);
  monitor.close();
  EXPECT_EQ(events, 5);
  EXPECT_EQ(udp_of(*monitor.packet_stats(), SONDE_DIRECTION_IN).packets, 5U);
}

TEST(MonitorLifetime, NothingIsLeft) {
  const Pair pair;
  const auto links = [&] { return pair.left.run("ip -j link show dev veth0; tc qdisc show dev veth0"); };
  const auto before = links();
  {
    auto monitor = attached(pair, {.filter = {}, .xdp_mode = "native"});
    EXPECT_NE(links(), before);
    auto moved = std::move(monitor);
    moved.close();
    EXPECT_EQ(links(), before);
    moved.close();  // harmless
  }
  { const auto dropped = attached(pair, {.filter = {}, .xdp_mode = "native"}); }
  EXPECT_EQ(links(), before) << "the destructor closes";
  {
    auto started = attached(pair);
    (void)started.start([](const Packet&) {});
  }
  EXPECT_EQ(links(), before);
}

TEST(MonitorErrors, NameTheWord) {
  const Pair pair;
  auto monitor = attached(pair);
  pair.left.call([&] {
    const auto missing = monitor.attach("nosuch0");
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().kind, ErrorKind::usage);
    EXPECT_NE(missing.error().message.find("'nosuch0'; there are: lo, veth0"), std::string::npos);
  });
  const auto mode = NetworkMonitor::make({.filter = {}, .xdp_mode = "fast"});
  ASSERT_FALSE(mode);
  EXPECT_EQ(mode.error().kind, ErrorKind::usage);
  EXPECT_NE(mode.error().message.find("fast"), std::string::npos);
  EXPECT_FALSE(monitor.map("nosuch"));
  const auto no_ring = monitor.on_event("sonde_totals", [](std::span<const std::uint8_t>) {});
  ASSERT_FALSE(no_ring);
  EXPECT_EQ(no_ring.error().kind, ErrorKind::usage);
  const auto no_file = NetworkMonitor::from_object_file("/nosuch/object.o");
  ASSERT_FALSE(no_file);
  EXPECT_NE(no_file.error().message.find("/nosuch/object.o"), std::string::npos) << no_file.error().text();
}

}  // namespace
}  // namespace sonde::test
