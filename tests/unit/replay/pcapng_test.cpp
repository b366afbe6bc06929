// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include "capture_file.hpp"

namespace sonde::test {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t second_ns = 1'000'000'000;

std::string one_byte(int value) { return {static_cast<char>(value)}; }

std::string flags(bool swapped, std::uint32_t value) {
  return option(swapped, 1, "a comment") + option(swapped, 2, FileBytes(swapped).u32(value).data()) +
         option(swapped, 0, "");
}

class Pcapng : public ::testing::TestWithParam<bool> {};

TEST_P(Pcapng, InterfacesTimesAndDirections) {
  const bool swapped = GetParam();
  const auto frame = udp_frame(1000);
  const auto ip = udp_packet(2000, 5);
  const auto offset = FileBytes(swapped).u64(100).data();
  const auto file = section_header(swapped) + interface_block(swapped, 1, 0, option(swapped, 2, "eth0")) +
                    interface_block(swapped, 101, 0,
                                    option(swapped, 2, "tun0") + option(swapped, 9, one_byte(9)) +
                                        option(swapped, 14, offset) + option(swapped, 0, "")) +
                    enhanced_packet(swapped, 1, 5'000'000'007, ip, ip.size(), flags(swapped, 2)) +
                    enhanced_packet(swapped, 0, 5'000'007, frame, 1500, flags(swapped, 1)) +
                    enhanced_packet(swapped, 0, 5'000'008, frame, frame.size());
  const auto replayed = replay_bytes(file);
  ASSERT_FALSE(replayed.collected.error) << replayed.collected.error->text();
  const auto& packets = replayed.collected.packets;
  ASSERT_EQ(packets.size(), 3U);
  EXPECT_EQ(replayed.interfaces.at(packets[0].event.header.ifindex).name, "tun0");
  EXPECT_EQ(replayed.interfaces.at(packets[0].event.header.ifindex).link_type, LinkType::raw_ip);
  EXPECT_EQ(replayed.interfaces.at(packets[1].event.header.ifindex).name, "eth0");
  EXPECT_EQ(packets[0].wall_ns, 105 * second_ns + 7);
  EXPECT_EQ(packets[1].wall_ns, 5 * second_ns + 7000);
  EXPECT_EQ(packets[0].event.direction, SONDE_DIRECTION_OUT);
  EXPECT_EQ(packets[1].event.direction, SONDE_DIRECTION_IN);
  EXPECT_EQ(packets[2].event.direction, SONDE_DIRECTION_IN);
  EXPECT_EQ(packets[0].event.source_port, 2000);
  EXPECT_TRUE(packets[0].event.flags & SONDE_PACKET_NO_LINK_HEADER);
  EXPECT_EQ(packets[1].event.source_port, 1000);
  EXPECT_EQ(packets[1].event.packet_size, 1500U);
  EXPECT_EQ(packets[1].bytes.size(), frame.size());
}

TEST_P(Pcapng, SimpleAndObsoletePackets) {
  const bool swapped = GetParam();
  const auto frame = udp_frame(1000, 100);
  const auto file = section_header(swapped) + interface_block(swapped, 1, 60, option(swapped, 2, "a")) +
                    interface_block(swapped, 1, 60, option(swapped, 2, "b")) +
                    simple_packet(swapped, frame.substr(0, 60), frame.size()) +
                    obsolete_packet(swapped, 1, 3'000'000, frame, frame.size(), flags(swapped, 2));
  const auto replayed = replay_bytes(file);
  ASSERT_FALSE(replayed.collected.error) << replayed.collected.error->text();
  const auto& packets = replayed.collected.packets;
  ASSERT_EQ(packets.size(), 2U);
  EXPECT_EQ(packets[0].bytes.size(), 60U);
  EXPECT_EQ(packets[0].event.packet_size, frame.size());
  EXPECT_EQ(packets[0].wall_ns, 0);
  EXPECT_EQ(packets[1].wall_ns, 3 * second_ns);
  EXPECT_EQ(packets[1].event.direction, SONDE_DIRECTION_OUT);
  EXPECT_EQ(replayed.interfaces.at(packets[1].event.header.ifindex).name, "b");
}

TEST_P(Pcapng, SectionsOfBothByteOrders) {
  const bool swapped = GetParam();
  const auto frame = udp_frame(1);
  const auto file = section_header(swapped) + interface_block(swapped, 1, 0, option(swapped, 2, "eth0")) +
                    enhanced_packet(swapped, 0, 1, frame, 46) + section_header(!swapped) +
                    interface_block(!swapped, 1, 0, option(!swapped, 2, "eth1")) +
                    interface_block(!swapped, 1, 0, option(!swapped, 2, "eth0")) +
                    enhanced_packet(!swapped, 0, 2, frame, 46) + enhanced_packet(!swapped, 1, 3, frame, 46);
  const auto replayed = replay_bytes(file);
  ASSERT_FALSE(replayed.collected.error) << replayed.collected.error->text();
  ASSERT_EQ(replayed.collected.packets.size(), 3U);
  std::string names;
  for (const auto& packet : replayed.collected.packets) {
    names += replayed.interfaces.at(packet.event.header.ifindex).name + " ";
  }
  EXPECT_EQ(names, "eth0 eth1 eth0 ");
  EXPECT_EQ(replayed.interfaces.size(), 2U);  // eth0 is the same in both sections
  EXPECT_EQ(replayed.collected.packets[2].wall_ns, 3000);
}

TEST_P(Pcapng, OtherBlocksAreSkippedWhateverTheirSize) {
  const bool swapped = GetParam();
  const auto frame = udp_frame(1);
  std::string file = section_header(swapped) + interface_block(swapped, 1, 0);
  for (const std::uint32_t type : {4U, 5U, 10U, 0x0badU, 0x80000001U}) {
    file += block(swapped, type, std::string(20, 'z')) + enhanced_packet(swapped, 0, 1, frame, 46);
  }
  // NOLINTNEXTLINE(bugprone-string-constructor): larger than any packet is the point
  file += block(swapped, 0x0bad, std::string(40'000'000, 'z')) + enhanced_packet(swapped, 0, 1, frame, 46);
  const auto replayed = replay_bytes(file);
  ASSERT_FALSE(replayed.collected.error) << replayed.collected.error->text();
  EXPECT_EQ(replayed.collected.packets.size(), 6U);
}

TEST_P(Pcapng, ManyInterfaces) {
  const bool swapped = GetParam();
  const auto frame = udp_frame(1);
  std::string file = section_header(swapped);
  for (int i = 0; i < 300; ++i) file += interface_block(swapped, 1, 0, option(swapped, 2, "if" + std::to_string(i)));
  for (int i = 0; i < 300; ++i) file += enhanced_packet(swapped, static_cast<std::uint32_t>(i), 1, frame, 46);
  const auto replayed = replay_bytes(file);
  ASSERT_EQ(replayed.collected.packets.size(), 300U);
  for (std::size_t i = 0; i < 300; ++i) {
    const auto ifindex = replayed.collected.packets[i].event.header.ifindex;
    EXPECT_EQ(replayed.interfaces.at(ifindex).name, "if" + std::to_string(i));
  }
}

TEST_P(Pcapng, AnUnsupportedLinkTypeMattersWhenAPacketHasIt) {
  const bool swapped = GetParam();
  const auto frame = udp_frame(1);
  const auto start = section_header(swapped) + interface_block(swapped, 220, 0) + interface_block(swapped, 1, 0) +
                     enhanced_packet(swapped, 1, 1, frame, 46);
  EXPECT_FALSE(replay_bytes(start).collected.error);
  const auto replayed = replay_bytes(start + enhanced_packet(swapped, 0, 1, frame, 46));
  EXPECT_EQ(replayed.collected.packets.size(), 1U);
  ASSERT_TRUE(replayed.collected.error);
  EXPECT_THAT(replayed.collected.error->message, HasSubstr("link type 220 (USB_LINUX_MMAPPED) is not supported"));
  EXPECT_EQ(replayed.loss[0].lost, 1U);
}

INSTANTIATE_TEST_SUITE_P(ByteOrder, Pcapng, ::testing::Bool());

}  // namespace
}  // namespace sonde::test
