// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <bit>

#include "capture_file.hpp"

namespace sonde::test {
namespace {

constexpr bool big = std::endian::native == std::endian::little;  // FileBytes(big) writes network byte order

SeenPacket only_packet(std::uint32_t link, const std::string& packet, bool swapped = false) {
  const auto replayed = replay_bytes(pcap_header(swapped, false, link) +
                                     pcap_record(swapped, 1, 0, packet, static_cast<std::uint32_t>(packet.size())));
  EXPECT_FALSE(replayed.collected.error) << replayed.collected.error->text();
  return replayed.collected.packets.at(0);
}

class BareIp : public ::testing::TestWithParam<std::uint32_t> {};

TEST_P(BareIp, IsFedAsItIs) {
  const auto packet = udp_packet(77);
  const auto seen = only_packet(GetParam(), packet);
  EXPECT_EQ(seen.event.source_port, 77);
  EXPECT_EQ(seen.event.packet_size, packet.size());
  EXPECT_EQ(seen.event.network_offset, 0);
  EXPECT_TRUE(seen.event.flags & SONDE_PACKET_NO_LINK_HEADER);
}

INSTANTIATE_TEST_SUITE_P(Numbers, BareIp, ::testing::Values(101, 12, 14, 228, 229));

TEST(Loopback, FamilyIsLeftOutInEitherByteOrder) {
  for (const std::uint32_t link : {0U, 108U}) {
    for (const bool swapped : {false, true}) {
      const auto packet = udp_packet(78);
      const auto seen = only_packet(link, FileBytes(swapped).u32(2).data() + packet, swapped);
      EXPECT_EQ(seen.event.source_port, 78);
      EXPECT_EQ(std::string(seen.bytes.begin(), seen.bytes.end()), packet);
      EXPECT_EQ(seen.event.packet_size, packet.size());
    }
  }
}

TEST(Loopback, OtherFamilyIsReportedAndNotMisread) {
  const auto seen = only_packet(108, FileBytes(big).u32(7).data() + udp_packet(78));
  EXPECT_EQ(seen.event.status, SONDE_PARSE_MALFORMED_NETWORK);
  EXPECT_FALSE(seen.event.flags & SONDE_PACKET_PORTS);
}

TEST(Loopback, ShorterThanItsFamily) {
  const auto seen = only_packet(0, std::string(3, '\0'));
  EXPECT_EQ(seen.event.packet_size, 3U);
  EXPECT_NE(seen.event.status, SONDE_PARSE_OK);
}

std::string sll(std::uint16_t type, std::uint16_t protocol, const std::string& payload) {
  return FileBytes(big)
      .u16(type)
      .u16(1)
      .u16(6)
      .bytes("\x02\x11\x22\x33\x44\x55")
      .u16(0)
      .u16(protocol)
      .bytes(payload)
      .data();
}

std::string sll2(std::uint8_t type, std::uint16_t protocol, std::uint32_t ifindex, const std::string& payload) {
  return FileBytes(big)
      .u16(protocol)
      .u16(0)
      .u32(ifindex)
      .u16(1)
      .u8(type)
      .u8(6)
      .bytes("\x02\x11\x22\x33\x44\x55")
      .u16(0)
      .bytes(payload)
      .data();
}

TEST(Cooked, BecomesEthernetWithTheSendersAddress) {
  const auto packet = udp_packet(79);
  for (const auto& seen : {only_packet(113, sll(0, 0x0800, packet)), only_packet(276, sll2(0, 0x0800, 3, packet))}) {
    EXPECT_EQ(seen.event.source_port, 79);
    EXPECT_EQ(seen.event.packet_size, packet.size() + 14);
    const auto header = std::string("\0\0\0\0\0\0\x02\x11\x22\x33\x44\x55\x08\0", 14);
    EXPECT_EQ(std::string(seen.bytes.begin(), seen.bytes.end()), header + packet);
    EXPECT_EQ(seen.event.direction, SONDE_DIRECTION_IN);
  }
}

TEST(Cooked, OutgoingTypeIsDirectionOut) {
  EXPECT_EQ(only_packet(113, sll(4, 0x0800, udp_packet(1))).event.direction, SONDE_DIRECTION_OUT);
  EXPECT_EQ(only_packet(276, sll2(4, 0x0800, 3, udp_packet(1))).event.direction, SONDE_DIRECTION_OUT);
  EXPECT_EQ(only_packet(113, sll(3, 0x0800, udp_packet(1))).event.direction, SONDE_DIRECTION_IN);
}

TEST(Cooked, VlanTagAndArpAreSeen) {
  const auto tagged = only_packet(113, sll(0, 0x8100, FileBytes(big).u16(0x6005).u16(0x0800).data() + udp_packet(80)));
  EXPECT_TRUE(tagged.event.flags & SONDE_PACKET_VLAN);
  EXPECT_EQ(tagged.event.vlan_outer, 0x6005);
  EXPECT_EQ(tagged.event.source_port, 80);
  EXPECT_EQ(only_packet(276, sll2(1, 0x0806, 3, std::string(28, '\1'))).event.ether_type, 0x0806);
}

TEST(Cooked, LlcFramesGetTheirLength) {
  EXPECT_EQ(only_packet(113, sll(0, 4, std::string(50, '\x42'))).event.ether_type, 50);
}

TEST(Cooked, ShorterThanItsHeader) {
  for (std::size_t size = 0; size < 20; ++size) {
    const auto seen = only_packet(276, sll2(4, 0x0800, 3, "").substr(0, size));
    EXPECT_TRUE(seen.bytes.empty());
    EXPECT_NE(seen.event.status, SONDE_PARSE_OK);
  }
}

TEST(Cooked, InterfacesOfEachPacket) {
  std::string file = pcap_header(false, false, 276);
  for (const std::uint32_t ifindex : {9U, 4U, 9U}) {
    const auto packet = sll2(0, 0x0800, ifindex, udp_packet(1));
    file += pcap_record(false, 1, 0, packet, static_cast<std::uint32_t>(packet.size()));
  }
  const auto replayed = replay_bytes(file);
  std::string names;
  for (const auto& packet : replayed.collected.packets) {
    names += replayed.interfaces.at(packet.event.header.ifindex).name + " ";
  }
  EXPECT_EQ(names, "if9 if4 if9 ");
}

}  // namespace
}  // namespace sonde::test
