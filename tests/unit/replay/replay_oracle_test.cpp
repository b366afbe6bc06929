// SPDX-License-Identifier: Apache-2.0
// The same files through tshark: same packets, times, sizes, interfaces and directions.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "capture_file.hpp"

namespace sonde::test {
namespace {

std::string original_file() {
  std::string file = pcap_header(false, true, 1);
  for (std::uint32_t i = 0; i < 500; ++i) {
    const auto frame = udp_frame(static_cast<std::uint16_t>(40'000 + i), i % 300);
    const auto size = static_cast<std::uint32_t>(frame.size());
    file += pcap_record(false, 1'700'000'000 + i, i * 1'999'999 % 1'000'000'000, frame, size);
  }
  return file;
}

// One line a packet, in tshark's words.
std::string describe(const Replayed& replayed) {
  std::string text;
  for (const auto& packet : replayed.collected.packets) {
    text += fmt::format("{}.{:09}\t{}\t{}\t{}\n", packet.wall_ns / 1'000'000'000, packet.wall_ns % 1'000'000'000,
                        packet.event.packet_size, packet.event.captured_size, packet.event.source_port);
  }
  return text;
}

std::string tshark(const std::string& path) {
  return run("tshark -n -r " + path +
             " -T fields -e frame.time_epoch -e frame.len -e frame.cap_len -e udp.srcport 2>/dev/null");
}

void compare(const std::string& path) {
  const auto replayed = replay_file(path);
  ASSERT_FALSE(replayed.collected.error) << replayed.collected.error->text();
  const auto expected = tshark(path);
  EXPECT_FALSE(expected.empty());
  EXPECT_EQ(describe(replayed), expected);
}

class ReplayOracle : public ::testing::TestWithParam<const char*> {};

// The commands make OUT from IN.
TEST_P(ReplayOracle, AgreesWithTshark) {
  const TemporaryFile in(".in.pcap");
  const TemporaryFile out(".out.pcap");
  in.write(original_file());
  run("IN=" + in.path() + " OUT=" + out.path() + "; " + GetParam() + " 2>&1");
  compare(out.path());
}

INSTANTIATE_TEST_SUITE_P(Writers, ReplayOracle,
                         ::testing::Values("cp $IN $OUT", "editcap -F pcap $IN $OUT", "editcap -F nsecpcap $IN $OUT",
                                           "editcap -F pcapng $IN $OUT", "editcap -F pcapng -s 40 $IN $OUT",
                                           "editcap -F pcap -s 50 $IN $OUT", "mergecap -F pcapng -w $OUT $IN $IN",
                                           "mergecap -a -F pcapng -w $OUT $IN $IN", "tshark -r $IN -w $OUT",
                                           "tcpdump -r $IN -w $OUT",
                                           "tcpdump -r $IN --time-stamp-precision=nano -w $OUT",
                                           "editcap -F pcapng -a 3:comment --inject-secrets tls,/dev/null $IN $OUT || "
                                           "editcap -F pcapng -a 3:comment $IN $OUT"));

std::string interface_names(const Replayed& replayed) {
  std::string text;
  for (const auto& packet : replayed.collected.packets) {
    const bool out = packet.event.direction == SONDE_DIRECTION_OUT;
    text += fmt::format("{}\t{}\n", replayed.interfaces.at(packet.event.header.ifindex).name, out ? 2 : 1);
  }
  return text;
}

TEST(ReplayOracle, InterfacesAndDirectionsOfHandmadePcapng) {
  const auto frame = udp_frame(1);
  for (const bool swapped : {false, true}) {
    std::string content = section_header(swapped) + interface_block(swapped, 1, 0, option(swapped, 2, "eth0")) +
                          interface_block(swapped, 1, 0, option(swapped, 2, "wan-7"));
    for (std::uint32_t i = 0; i < 20; ++i) {
      const auto flags = option(swapped, 2, FileBytes(swapped).u32(1 + i / 2 % 2).data());
      content += enhanced_packet(swapped, i % 2, i, frame, 46, flags + option(swapped, 0, ""));
    }
    const TemporaryFile file(".pcapng");
    file.write(content);
    const auto expected = run("tshark -n -r " + file.path() +
                              " -T fields -e frame.interface_name -e frame.packet_flags_direction 2>/dev/null");
    auto decimal = expected;  // tshark prints the direction in hexadecimal
    for (auto at = decimal.find("0x"); at != std::string::npos; at = decimal.find("0x")) {
      const auto end = decimal.find('\n', at);
      decimal.replace(at, end - at, std::to_string(std::stoul(decimal.substr(at, end - at), nullptr, 16)));
    }
    EXPECT_EQ(interface_names(replay_file(file.path())), decimal);
  }
}

}  // namespace
}  // namespace sonde::test
