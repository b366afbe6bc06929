// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include "capture_file.hpp"

namespace sonde::test {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t second_ns = 1'000'000'000;

class PcapMagic : public ::testing::TestWithParam<std::tuple<bool, bool>> {};

TEST_P(PcapMagic, ReadsPacketsAndTheirTime) {
  const auto [swapped, nanoseconds] = GetParam();
  const auto frame = udp_frame(1000);
  const auto replayed = replay_bytes(pcap_header(swapped, nanoseconds, 1) +
                                     pcap_record(swapped, 1'700'000'000, 123'456, frame, frame.size()) +
                                     pcap_record(swapped, 0xffffffff, 7, frame.substr(0, 40), 1500));
  ASSERT_FALSE(replayed.collected.error);
  ASSERT_EQ(replayed.collected.packets.size(), 2U);
  const auto& first = replayed.collected.packets[0];
  EXPECT_EQ(first.wall_ns, 1'700'000'000 * second_ns + 123'456 * (nanoseconds ? 1 : 1000));
  EXPECT_EQ(first.event.header.ts_ns, static_cast<std::uint64_t>(first.wall_ns));
  EXPECT_EQ(first.event.header.type, SONDE_EVENT_PACKET);
  EXPECT_EQ(first.event.header.len, sizeof(sonde_packet_event));
  EXPECT_EQ(first.event.header.ifindex, 1U);
  EXPECT_EQ(first.event.source_port, 1000);
  EXPECT_EQ(first.event.direction, SONDE_DIRECTION_IN);
  EXPECT_EQ(std::string(first.bytes.begin(), first.bytes.end()), frame);
  const auto& second = replayed.collected.packets[1];
  EXPECT_EQ(second.wall_ns, 0xffffffffLL * second_ns + 7 * (nanoseconds ? 1 : 1000));
  EXPECT_EQ(second.event.packet_size, 1500U);
  EXPECT_EQ(second.event.captured_size, 40U);
}

INSTANTIATE_TEST_SUITE_P(AllFour, PcapMagic, ::testing::Combine(::testing::Bool(), ::testing::Bool()));

TEST(Pcap, FileWithoutPackets) {
  const auto replayed = replay_bytes(pcap_header(false, false, 1));
  EXPECT_FALSE(replayed.collected.error);
  EXPECT_TRUE(replayed.finished);
  EXPECT_TRUE(replayed.collected.packets.empty());
  EXPECT_TRUE(LossReport{replayed.loss}.balanced());
}

TEST(Pcap, FrameCheckSequenceBitsAreNotTheLinkType) {
  const auto frame = udp_frame(1);
  const auto replayed = replay_bytes(pcap_header(false, false, 0x24000001) + pcap_record(false, 1, 0, frame, 46));
  ASSERT_FALSE(replayed.collected.error);
  EXPECT_EQ(replayed.collected.packets.at(0).event.source_port, 1);
}

TEST(Pcap, WireSizeIsNeverBelowTheCapturedSize) {
  const auto frame = udp_frame(1);
  const auto replayed = replay_bytes(pcap_header(false, false, 1) + pcap_record(false, 1, 0, frame, 3));
  EXPECT_EQ(replayed.collected.packets.at(0).event.packet_size, frame.size());
}

struct BadFile {
  std::string content, message;
};

class NotACapture : public ::testing::TestWithParam<BadFile> {};

TEST_P(NotACapture, IsAnErrorThatSaysWhatItIs) {
  const auto replayed = replay_bytes(GetParam().content);
  ASSERT_TRUE(replayed.collected.error);
  EXPECT_THAT(replayed.collected.error->message, HasSubstr(GetParam().message));
  EXPECT_EQ(replayed.collected.error->kind, ErrorKind::failed);
}

INSTANTIATE_TEST_SUITE_P(
    Bad, NotACapture,
    ::testing::Values(BadFile{"", "byte 0: the file ends inside a file header: 0 bytes are there of 4"},
                      BadFile{"\xd4\xc3\xb2\xa1 half", "the file ends inside a file header: 9 bytes are there of 24"},
                      BadFile{"hello, world", "neither pcap nor pcapng: it starts with 68656c6c"},
                      BadFile{"\x1f\x8b\x08 gzip", "gzip-compressed"}, BadFile{"\xa1\xb2\xcd\x34 Kuznetzov", "editcap"},
                      BadFile{pcap_header(false, false, 220), "link type 220 (USB_LINUX_MMAPPED) is not supported"},
                      BadFile{pcap_header(true, false, 65'000), "link type 65000 is not supported"},
                      BadFile{FileBytes().u32(0xa1b2c3d4).u16(3).u16(0).bytes(std::string(16, '\0')).data(),
                              "pcap version 3.0"}));

}  // namespace
}  // namespace sonde::test
