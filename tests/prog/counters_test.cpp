// SPDX-License-Identifier: Apache-2.0
// What the programs count: the ledger, the totals, and events that are switched on while they run.
#include <gtest/gtest.h>

#include "packet_programs.hpp"

namespace sonde::test {
namespace {

const Bytes tcp4 = ethernet({}, ipv4({}, tcp({}, counting(46))));                                    // 100 bytes
const Bytes icmp6 = ethernet({.type = ether_ipv6}, ipv6({.next = 58}, icmp(128, 0, counting(38))));  // 100 bytes
const Bytes arp = ethernet({.type = ether_arp}, arp_request());
const Bytes lldp = ethernet({.type = 0x88cc}, counting(46));

sonde_total total(const PacketPrograms& programs, std::uint8_t direction, std::uint8_t protocol_class) {
  const sonde_total_key key{.ifindex = 1, .direction = direction, .protocol_class = protocol_class, .reserved = {}};
  const auto sum = kernel::sum_per_cpu<sonde_total>(*programs.object().map_fd("sonde_totals"), &key);
  return sum ? *sum : sonde_total{};
}

packets::ProgramOptions counting_only() {
  packets::ProgramOptions options;
  options.count_totals = true;
  options.emit_events = SONDE_EMIT_NEVER;
  return options;
}

TEST(Totals, ByDirectionAndProtocol) {
  PacketPrograms programs(counting_only());
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(programs.run("sonde_xdp", tcp4).events.empty());
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(programs.run("sonde_ingress", tcp4).events.empty());
  (void)programs.run("sonde_egress", icmp6);
  (void)programs.run("sonde_egress", arp);
  (void)programs.run("sonde_ingress", lldp);
  EXPECT_EQ(total(programs, SONDE_DIRECTION_IN, SONDE_CLASS_TCP).packets, 5U);
  EXPECT_EQ(total(programs, SONDE_DIRECTION_IN, SONDE_CLASS_TCP).bytes, 500U);
  EXPECT_EQ(total(programs, SONDE_DIRECTION_OUT, SONDE_CLASS_TCP).packets, 0U);
  EXPECT_EQ(total(programs, SONDE_DIRECTION_OUT, SONDE_CLASS_ICMPV6).packets, 1U);
  EXPECT_EQ(total(programs, SONDE_DIRECTION_OUT, SONDE_CLASS_ICMPV6).bytes, 100U);
  EXPECT_EQ(total(programs, SONDE_DIRECTION_OUT, SONDE_CLASS_ARP).packets, 1U);
  EXPECT_EQ(total(programs, SONDE_DIRECTION_IN, SONDE_CLASS_OTHER).packets, 1U);
  const auto counters = programs.counters();
  EXPECT_EQ(counters.taken, 8U);
  EXPECT_EQ(counters.counted_only, 8U);
  EXPECT_EQ(counters.emitted + counters.filtered + counters.lost + counters.uncounted, 0U);
}

TEST(Totals, AgreeWithTheClassesOfUserSpace) {
  PacketPrograms programs(counting_only());
  for (const std::uint8_t protocol : {1, 2, 6, 17, 47, 58, 132}) {
    const auto packet = ethernet({}, ipv4({.protocol = protocol}, Bytes(40)));
    const auto in_class = static_cast<std::uint8_t>(protocol_class(parsed(packet, LinkType::ethernet)));
    const auto before = total(programs, SONDE_DIRECTION_IN, in_class).packets;
    (void)programs.run("sonde_ingress", packet);
    EXPECT_EQ(total(programs, SONDE_DIRECTION_IN, in_class).packets, before + 1) << int{protocol};
  }
}

TEST(Totals, OfMergedPacketsAreTheirSegments) {
  PacketPrograms programs(counting_only());
  (void)programs.run("sonde_ingress", tcp4, 44);
  EXPECT_EQ(total(programs, SONDE_DIRECTION_IN, SONDE_CLASS_TCP).packets, 44U);
  EXPECT_EQ(total(programs, SONDE_DIRECTION_IN, SONDE_CLASS_TCP).bytes, 100U);
}

TEST(Totals, OfWantedPacketsOnly) {
  FilterOptions filter;
  filter.protocol = "tcp";
  PacketPrograms programs(counting_only(), filter);
  (void)programs.run("sonde_ingress", tcp4);
  (void)programs.run("sonde_ingress", icmp6);
  EXPECT_EQ(total(programs, SONDE_DIRECTION_IN, SONDE_CLASS_TCP).packets, 1U);
  EXPECT_EQ(total(programs, SONDE_DIRECTION_IN, SONDE_CLASS_ICMPV6).packets, 0U);
  EXPECT_EQ(programs.counters().filtered, 1U);
  EXPECT_EQ(programs.counters().counted_only, 1U);
}

TEST(Events, CarryTheSegmentsOfMergedPackets) {
  PacketPrograms programs;
  for (const std::uint32_t segments : {0U, 1U, 2U, 45U}) {
    const auto result = programs.run("sonde_ingress", tcp4, segments);
    ASSERT_EQ(result.events.size(), 1U);
    EXPECT_EQ(result.events.front().event.segments, segments);
  }
}

TEST(Events, AreSwitchedWhileTheProgramsRun) {
  packets::ProgramOptions options;
  options.count_totals = true;
  options.emit_events = SONDE_EMIT_SWITCHED;
  PacketPrograms programs(options);
  for (const auto& program : programs_under_test()) {
    const auto packet = program.link == LinkType::raw_ip ? Bytes(tcp4.begin() + 14, tcp4.end()) : tcp4;
    EXPECT_EQ(programs.run(program.name, packet).events.size(), 0U) << program.name;
    programs.switch_events(true);
    EXPECT_EQ(programs.run(program.name, packet).events.size(), 1U) << program.name;
    programs.switch_events(false);
  }
  const auto counters = programs.counters();
  EXPECT_EQ(counters.taken, 10U);
  EXPECT_EQ(counters.counted_only, 5U);
  EXPECT_EQ(counters.emitted, 5U);
}

TEST(Events, OfSeveralRingsAllArrive) {
  packets::ProgramOptions options;
  options.rings = 4;
  PacketPrograms programs(options);
  for (int i = 0; i < 50; ++i) ASSERT_EQ(programs.run("sonde_xdp", tcp4).events.size(), 1U);
}

TEST(XdpVerdict, IsTheConfiguredOne) {
  packets::ProgramOptions options;
  options.xdp_verdict = 1;
  PacketPrograms programs(options);
  EXPECT_EQ(programs.run("sonde_xdp", tcp4).verdict, 1U);
}

}  // namespace
}  // namespace sonde::test
