// SPDX-License-Identifier: Apache-2.0
// What the programs say of single flows: names, ICMP errors, handshakes, reuse, a full table.
#include <gtest/gtest.h>

#include "flow.h"
#include "flow_programs.hpp"

namespace sonde::test {
namespace {

Bytes segment(Tcp header, bool back = false, std::size_t size = 0) {
  Ipv4 ip;
  if (back) {
    std::swap(ip.source, ip.destination);
    std::swap(header.source_port, header.destination_port);
  }
  return ethernet({}, ipv4(ip, tcp(header, counting(size))));
}

Bytes client_hello() { return {0x16, 3, 1, 0, 4, 1, 0, 0, 0}; }

TEST(Names, TheFirstClientHelloIsReportedOnce) {
  for (const std::string program : {"sonde_xdp", "sonde_ingress"}) {
    FlowPrograms programs;
    const auto hello = ethernet({}, ipv4({}, tcp({}, client_hello())));
    programs.run(program, segment({.flags = 2}));
    EXPECT_TRUE(programs.records().empty());
    programs.run(program, hello);
    programs.run(program, hello);
    const auto records = programs.records();
    ASSERT_EQ(records.size(), 1U) << program;
    EXPECT_EQ(records[0].record.reason, SONDE_FLOW_RECORD_NAME);
    EXPECT_EQ(records[0].bytes, hello);
    EXPECT_EQ(programs.counters().counted, 3U);
  }
}

TEST(Names, DnsIsReportedOnceAFlowUnlessAllIsAskedFor) {
  const auto query = ethernet({}, ipv4({.protocol = 17}, udp({}, counting(20))));
  FlowPrograms once;
  FlowPrograms all({.dns = true});
  for (int i = 0; i < 3; ++i) {
    once.run("sonde_xdp", query);
    all.run("sonde_xdp", query);
  }
  EXPECT_EQ(once.records().size(), 1U);
  EXPECT_EQ(all.records().size(), 3U);
}

TEST(Names, ArpIsReportedIfAskedFor) {
  FlowPrograms silent;
  FlowPrograms told({.arp = true});
  const auto request = ethernet({.type = ether_arp}, arp_request());
  silent.run("sonde_xdp", request);
  told.run("sonde_xdp", request);
  EXPECT_TRUE(silent.records().empty());
  const auto records = told.records();
  ASSERT_EQ(records.size(), 1U);
  EXPECT_EQ(records[0].bytes, request);
  EXPECT_EQ(told.counters().no_key, 1U);
}

TEST(IcmpErrors, MarkTheFlowThatTheyQuote) {
  const auto packet = ipv4({.protocol = 17}, udp({.destination_port = 9}, counting(8)));
  Ipv4 back{.protocol = 1};
  std::swap(back.source, back.destination);
  struct Error {
    std::uint8_t type, code;
    bool marks;
  };
  for (const auto& error : {Error{3, 3, true}, Error{11, 0, true}, Error{3, 4, false}, Error{8, 0, false}}) {
    for (const std::size_t quoted : {packet.size(), std::size_t{28}}) {
      FlowPrograms programs;
      programs.run("sonde_xdp", ethernet({}, packet));
      programs.run("sonde_xdp", ethernet({}, ipv4(back, icmp(error.type, error.code, first_of(packet, quoted)))));
      const auto table = programs.table();
      ASSERT_EQ(table.size(), 2U);
      const auto& udp_flow = table[0].key.protocol == 17 ? table[0] : table[1];
      EXPECT_EQ((udp_flow.flags & SONDE_FLOW_UNREACHABLE) != 0, error.marks) << int{error.type} << " " << quoted;
    }
  }
}

TEST(IcmpErrors, MarkIpv6Flows) {
  const auto packet = ipv6({.next = 17}, udp({.destination_port = 9}, counting(8)));
  Ipv6 back{.next = 58};
  std::swap(back.source, back.destination);
  FlowPrograms programs;
  programs.run("sonde_xdp", ethernet({.type = ether_ipv6}, packet));
  programs.run("sonde_xdp", ethernet({.type = ether_ipv6}, ipv6(back, icmp(1, 4, packet))));
  for (const auto& flow : programs.table())
    EXPECT_EQ((flow.flags & SONDE_FLOW_UNREACHABLE) != 0, flow.key.protocol == 17);
}

TEST(Handshake, TimesAreValidWhenBothAnswersWereSeen) {
  FlowPrograms programs;
  const auto flags = [&] { return programs.table().at(0).flags & (SONDE_FLOW_SYN_ACK | SONDE_FLOW_HANDSHAKE); };
  programs.run("sonde_xdp", segment({.flags = 2}));
  EXPECT_EQ(flags(), 0);
  programs.run("sonde_xdp", segment({.flags = 0x12}, true));
  EXPECT_EQ(flags(), SONDE_FLOW_SYN_ACK);
  programs.run("sonde_xdp", segment({.flags = 0x10}));
  EXPECT_EQ(flags(), SONDE_FLOW_SYN_ACK | SONDE_FLOW_HANDSHAKE);
}

// Without the SYN nobody knows when it was sent.
TEST(Handshake, NoTimesWithoutTheSyn) {
  FlowPrograms programs;
  programs.run("sonde_xdp", segment({.flags = 0x12}, true));
  programs.run("sonde_xdp", segment({.flags = 0x10}));
  const auto flow = programs.table().at(0);
  EXPECT_EQ(flow.flags & (SONDE_FLOW_SYN_ACK | SONDE_FLOW_HANDSHAKE), 0);
  EXPECT_NE(flow.flags & SONDE_FLOW_START_SEEN, 0);
  EXPECT_EQ(sonde_flow_opener(&flow), 0U) << "10.0.0.1 is the lower address, and was answered";
}

TEST(Full, EveryPacketIsInTheTableOrSpilled) {
  constexpr std::uint32_t packets = 5000;
  FlowPrograms programs({.max_flows = 64});
  for (std::uint32_t i = 0; i < packets; ++i)
    programs.run("sonde_xdp",
                 ethernet({}, ipv4({.protocol = 17,
                                    .source = {10, 1, static_cast<std::uint8_t>(i >> 8), static_cast<std::uint8_t>(i)}},
                                   udp({.destination_port = 9}))));
  const auto counters = programs.counters();
  EXPECT_EQ(counters.taken, packets);
  EXPECT_EQ(counters.counted + counters.spilled, packets);
  EXPECT_EQ(programs.records().size(), counters.spilled);
  const auto table = programs.table();
  EXPECT_EQ(table.size(), counters.counted) << "one packet a flow";
  EXPECT_GE(table.size(), 64U);
  EXPECT_LE(table.size(), 128U);
}

// As many flows as asked for, hardly any of which finds its two buckets full.
TEST(Full, ThereIsRoomForWhatWasAskedFor) {
  constexpr std::uint32_t flows = 20'000;
  FlowPrograms programs({.max_flows = flows});
  for (std::uint32_t i = 0; i < flows; ++i)
    programs.run("sonde_xdp",
                 ethernet({}, ipv4({.protocol = 17,
                                    .source = {10, 1, static_cast<std::uint8_t>(i >> 8), static_cast<std::uint8_t>(i)}},
                                   udp({.destination_port = 9}))));
  EXPECT_LT(programs.counters().spilled, flows / 500);
}

}  // namespace
}  // namespace sonde::test
