// SPDX-License-Identifier: Apache-2.0
#include "sensors/drops/decode.hpp"

#include <gtest/gtest.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "harness/packet_builder.hpp"
#include "sensors/drops/reasons.hpp"

namespace sonde::drops {
namespace {

static_assert(std::has_unique_object_representations_v<sonde_drop_event>, "no hidden padding");
static_assert(std::has_unique_object_representations_v<sonde_tuple_answer>);
static_assert(std::has_unique_object_representations_v<sonde_lost_drop>);

using test::Bytes;

sonde_drop_event record_of(const Bytes& packet, sonde_drop_start start = SONDE_START_ETHERNET) {
  sonde_drop_event raw{};
  raw.header = {123, sizeof(raw), SONDE_EVENT_DROP, 7};
  raw.reason = 3;
  raw.network_namespace = 4711;
  raw.packet_size = static_cast<std::uint32_t>(packet.size());
  raw.captured_size = static_cast<std::uint16_t>(std::min<std::size_t>(packet.size(), SONDE_DROP_BYTES));
  raw.start = static_cast<std::uint8_t>(start);
  std::copy_n(packet.begin(), raw.captured_size, raw.bytes);
  std::strcpy(raw.interface, "eth0");
  return raw;
}

std::optional<Drop> decode(const sonde_drop_event& raw) {
  return decode_packet({reinterpret_cast<const std::uint8_t*>(&raw), sizeof(raw)});
}

TEST(DecodeDrop, EthernetFrame) {
  auto raw = record_of(test::ethernet({}, test::ipv4({.protocol = 17}, test::udp({}, test::counting(300)))));
  raw.direction = SONDE_DIRECTION_OUT;
  const auto drop = decode(raw);
  ASSERT_TRUE(drop);
  EXPECT_EQ(drop->ifindex, 7U);
  EXPECT_EQ(drop->interface, "eth0");
  EXPECT_EQ(drop->network_namespace, 4711U);
  EXPECT_EQ(drop->packet.source_port, 40'000);
  EXPECT_EQ(drop->packet.destination_port, 53);
  EXPECT_EQ(drop->packet.payload_size, 300U);
  EXPECT_EQ(drop->packet.packet_size, 342U);
  EXPECT_EQ(drop->packet.direction, SONDE_DIRECTION_OUT);
  EXPECT_EQ(drop->packet.status, SONDE_PARSE_OK);
  EXPECT_EQ(drop->bytes.size(), SONDE_DROP_BYTES);
}

TEST(DecodeDrop, PacketWithoutLinkHeader) {
  const auto drop = decode(record_of(test::ipv6({.next = 6}, test::tcp({.flags = 2})), SONDE_START_NETWORK));
  ASSERT_TRUE(drop);
  EXPECT_TRUE(drop->packet.flags & SONDE_PACKET_NO_LINK_HEADER);
  EXPECT_TRUE(drop->packet.flags & SONDE_PACKET_IPV6);
  EXPECT_EQ(drop->packet.tcp_flags, 2);
  EXPECT_EQ(drop->packet.destination_port, 443);
}

TEST(DecodeDrop, TagBesideThePacket) {
  auto raw = record_of(test::ethernet({}, test::ipv4({.protocol = 17}, test::udp({}))));
  raw.tag_tpid = 0x8100;
  raw.tag_tci = 0x6064;
  const auto drop = decode(raw);
  ASSERT_TRUE(drop);
  EXPECT_TRUE(drop->packet.flags & SONDE_PACKET_VLAN);
  EXPECT_EQ(drop->packet.vlan_outer, 0x6064);
  EXPECT_EQ(drop->packet.packet_size, raw.packet_size + 4);
}

// skc_num is in host byte order, the addresses are in network byte order; bpf/socket.h has put both right.
TEST(DecodeDrop, PacketWithoutHeadersHasTheAddressesOfItsSocket) {
  auto raw = record_of({}, SONDE_START_NONE);
  raw.packet_size = 100;
  raw.direction = SONDE_DIRECTION_OUT;
  raw.socket.protocol = IPPROTO_TCP;
  raw.socket.local_port = 40'000;
  raw.socket.remote_port = 443;
  const std::uint8_t local[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1};
  std::copy_n(local, 16, raw.socket.local_address);
  std::copy_n(local, 16, raw.socket.remote_address);
  raw.socket.remote_address[15] = 2;
  const auto drop = decode(raw);
  ASSERT_TRUE(drop);
  EXPECT_TRUE(drop->packet.flags & SONDE_PACKET_IPV4);
  EXPECT_EQ(drop->packet.source_port, 40'000);
  EXPECT_EQ(drop->packet.destination_port, 443);
  EXPECT_EQ(drop->packet.source_address[15], 1);
  EXPECT_EQ(drop->packet.destination_address[15], 2);
  EXPECT_EQ(drop->packet.status, SONDE_PARSE_SNAPPED);
  EXPECT_TRUE(drop->bytes.empty());
}

TEST(DecodeDrop, RefusesRecordsThatContradictThemselves) {
  const auto good = record_of(test::ethernet({}, test::ipv4({}, test::tcp({}))));
  EXPECT_TRUE(decode(good));
  EXPECT_FALSE(decode_packet({reinterpret_cast<const std::uint8_t*>(&good), sizeof(good) - 1}));
  auto bad = good;
  bad.captured_size = SONDE_DROP_BYTES + 1;
  EXPECT_FALSE(decode(bad));
  bad = good;
  bad.captured_size = static_cast<std::uint16_t>(bad.packet_size + 1);
  EXPECT_FALSE(decode(bad));
  bad = good;
  bad.start = SONDE_START_NONE + 1;
  EXPECT_FALSE(decode(bad));
  bad = good;
  bad.header.type = SONDE_EVENT_PACKET;
  EXPECT_FALSE(decode(bad));
}

TEST(DecodeDrop, InterfaceNameMayFillItsPlace) {
  auto raw = record_of({}, SONDE_START_NONE);
  std::memset(raw.interface, 'x', sizeof(raw.interface));
  const auto drop = decode(raw);
  ASSERT_TRUE(drop);
  EXPECT_EQ(drop->interface, std::string(16, 'x'));
}

TEST(AnsweredPing, IsAReplyWithACopy) {
  auto raw = record_of(test::ethernet({}, test::ipv4({.protocol = 1}, test::icmp(0, 0))));
  auto drop = *decode(raw);
  drop.reason = "NO_SOCKET";
  EXPECT_FALSE(is_answered_ping(raw, drop)) << "nobody has asked";
  raw.copied = 1;
  EXPECT_TRUE(is_answered_ping(raw, drop));
  drop.reason = "NETFILTER_DROP";
  EXPECT_FALSE(is_answered_ping(raw, drop));
}

const ReasonNames names = {{1, "SKB_CONSUMED"}, {3, "NO_SOCKET"}, {64, "QDISC_DROP"}, {70'000, "MASK"}};

TEST(Reasons, HaveNamesAndTraitsByName) {
  EXPECT_EQ(reason_name(names, 3), "NO_SOCKET");
  EXPECT_EQ(reason_name(names, 200), "REASON_200");
  EXPECT_EQ(reason_name(names, 0x20003), "SUBSYS(0x20003)");
  const auto traits = reason_traits(names);
  EXPECT_EQ(traits[1], SONDE_REASON_NORMAL);
  EXPECT_EQ(traits[3], SONDE_REASON_RECEIVED);
  EXPECT_EQ(traits[64], SONDE_REASON_SENT);
  EXPECT_EQ(traits[2], 0);
  EXPECT_EQ(tuple_trust("NO_SOCKET"), TupleTrust::none);
  EXPECT_EQ(tuple_trust("TCP_CSUM"), TupleTrust::connected_only);
  EXPECT_EQ(tuple_trust("REASON_200"), TupleTrust::full);
}

}  // namespace
}  // namespace sonde::drops
