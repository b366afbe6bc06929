// SPDX-License-Identifier: Apache-2.0
// Files that are cut or lie about lengths.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "capture_file.hpp"

namespace sonde::test {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

// Where each record ends, the file header included.
struct Layout {
  std::string file;
  std::vector<std::size_t> ends;
  std::vector<bool> packet;

  void add(const std::string& record, bool is_packet) {
    file += record;
    ends.push_back(file.size());
    packet.push_back(is_packet);
  }
};

Layout pcap_layout() {
  Layout layout;
  layout.add(pcap_header(false, false, 1), false);
  for (const std::size_t payload : {0U, 4U, 9U}) {
    const auto frame = udp_frame(1, payload);
    layout.add(pcap_record(false, 1, 0, frame, static_cast<std::uint32_t>(frame.size())), true);
  }
  return layout;
}

Layout pcapng_layout() {
  Layout layout;
  layout.add(section_header(true), false);
  layout.add(interface_block(true, 1, 0, option(true, 2, "eth0")), false);
  const auto frame = udp_frame(1, 5);
  layout.add(enhanced_packet(true, 0, 1, frame, 47), true);
  layout.add(block(true, 0x0bad, "something"), false);
  layout.add(simple_packet(true, frame, 47), true);
  layout.add(obsolete_packet(true, 0, 1, frame, 47), true);
  return layout;
}

// What must be seen of the first `size` bytes.
void check_cut(const Layout& layout, std::size_t size) {
  SCOPED_TRACE(fmt::format("cut at byte {}", size));
  std::size_t whole = 0;
  std::size_t packets = 0;
  for (; whole < layout.ends.size() && layout.ends[whole] <= size; ++whole) packets += layout.packet[whole] ? 1 : 0;
  const std::size_t start = whole == 0 ? 0 : layout.ends[whole - 1];
  const auto replayed = replay_bytes(layout.file.substr(0, size));
  EXPECT_EQ(replayed.collected.packets.size(), packets);
  if (start == size && size > 0) {
    EXPECT_FALSE(replayed.collected.error) << replayed.collected.error->text();
  } else {
    ASSERT_TRUE(replayed.collected.error);
    EXPECT_THAT(replayed.collected.error->message, HasSubstr("the file ends inside a"));
  }
  if (replayed.loss.empty()) return;  // refused when it was opened
  EXPECT_TRUE(LossReport{replayed.loss}.balanced());
  EXPECT_TRUE(replayed.finished);
  EXPECT_EQ(replayed.loss[0].given, packets);
}

TEST(Truncated, PcapAtEveryByte) {
  const auto layout = pcap_layout();
  for (std::size_t size = 0; size <= layout.file.size(); ++size) check_cut(layout, size);
}

TEST(Truncated, PcapngAtEveryByte) {
  const auto layout = pcapng_layout();
  for (std::size_t size = 0; size <= layout.file.size(); ++size) check_cut(layout, size);
}

TEST(Truncated, TheCutPacketIsCountedAndTheOffsetNamed) {
  const auto layout = pcap_layout();
  const auto replayed = replay_bytes(layout.file.substr(0, layout.ends[2] - 1));
  ASSERT_TRUE(replayed.collected.error);
  EXPECT_THAT(replayed.collected.error->message, HasSubstr(fmt::format("byte {}: ", layout.ends[1])));
  EXPECT_EQ(replayed.loss[0].taken, 2U);
  EXPECT_EQ(replayed.loss[0].given, 1U);
  EXPECT_EQ(replayed.loss[0].lost, 1U);
  EXPECT_THAT(replayed.loss[0].note, StartsWith(fmt::format("byte {}: ", layout.ends[1])));
}

void expect_damage(const std::string& file, std::size_t packets, std::size_t offset, const std::string& what) {
  const auto replayed = replay_bytes(file);
  EXPECT_EQ(replayed.collected.packets.size(), packets);
  ASSERT_TRUE(replayed.collected.error);
  EXPECT_THAT(replayed.collected.error->message, HasSubstr(fmt::format("byte {}: {}", offset, what)));
  EXPECT_TRUE(LossReport{replayed.loss}.balanced());
  EXPECT_EQ(replayed.loss[0].given, packets);
}

TEST(Hostile, PcapRecordLength) {
  const auto good = pcap_layout().file;
  for (const std::uint32_t captured : {262'145U, 0x7fffffffU, 0xffffffffU}) {
    const auto record = FileBytes().u32(1).u32(0).u32(captured).u32(captured).data();
    expect_damage(good + record + std::string(100, 'x'), 3, good.size(),
                  fmt::format("packet record of {} captured bytes", captured));
  }
}

TEST(Hostile, LargestPacketIsRead) {
  const std::string packet(262'144, 'x');
  const auto file = pcap_header(false, false, 1) + pcap_record(false, 1, 0, packet, 262'144);
  const auto replayed = replay_bytes(file + file.substr(24), {}, 0xffffffff);
  ASSERT_FALSE(replayed.collected.error);
  ASSERT_EQ(replayed.collected.packets.size(), 2U);
  EXPECT_EQ(replayed.collected.packets[1].bytes.size(), packet.size());
}

TEST(Hostile, PcapngBlockLengths) {
  const auto good = pcapng_layout().file;
  const auto start = good.size();
  const auto header = [](std::uint32_t type, std::uint32_t size) {
    return FileBytes(true).u32(type).u32(size).data() + std::string(100, '\0');
  };
  expect_damage(good + header(6, 0), 3, start, "block of type 0x6 has the impossible length 0");
  expect_damage(good + header(6, 8), 3, start, "block of type 0x6 has the impossible length 8");
  expect_damage(good + header(6, 35), 3, start, "block of type 0x6 has the impossible length 35");
  expect_damage(good + header(6, 28), 3, start, "Enhanced Packet Block has the impossible length 28");
  expect_damage(good + header(6, 0xfffffffc), 3, start, "Enhanced Packet Block has the impossible length 4294967292");
  expect_damage(good + header(1, 0x7ffffffc), 3, start, "Interface Description Block has the impossible length");
  expect_damage(good + header(0x0bad, 0xfffffffc), 3, start + 108, "the file ends inside a skipped block");
  expect_damage(good + header(6, 64), 3, start, "Enhanced Packet Block starts with length 64 and ends with 0");
  expect_damage(good + header(0x0bad, 16), 3, start + 12, "block starts with length 16 and ends with 0");
}

TEST(Hostile, PcapngPacketContents) {
  const auto good = pcapng_layout().file;
  const auto packet = [](std::uint32_t interface, std::uint32_t captured) {
    return block(true, 6, FileBytes(true).u32(interface).u64(0).u32(captured).u32(captured).bytes("12345678").data());
  };
  expect_damage(good + packet(0, 9), 3, good.size(), "packet of 9 captured bytes in a block with room for 8");
  expect_damage(good + packet(0, 0xffffffff), 3, good.size(), "packet of 4294967295 captured bytes");
  expect_damage(good + packet(1, 8), 3, good.size(), "packet of interface 1, the section has 1");
  expect_damage(good + section_header(false) + simple_packet(false, "12345678", 8), 3, good.size() + 28,
                "packet of interface 0, the section has 0");
  expect_damage(good + simple_packet(true, "12345678", 13), 3, good.size(),
                "packet of 13 captured bytes in a block with room for 8");
}

TEST(Hostile, PcapngHeaders) {
  const auto good = pcapng_layout().file;
  const auto section = [](std::uint32_t magic, std::uint16_t major) {
    return block(false, 0x0a0d0d0a, FileBytes().u32(magic).u16(major).u16(0).u64(~0ULL).data());
  };
  expect_damage(good + section(0x11223344, 1), 3, good.size(), "section header with the byte-order magic 0x11223344");
  expect_damage(good + section(0x1a2b3c4d, 2), 3, good.size(), "pcapng version 2.0 instead of 1.0");
  expect_damage(good + interface_block(true, 1, 0, option(true, 9, "\x7f")), 3, good.size(),
                "interface with the time resolution 0x7f");
}

// An option that runs out of its block ends the list; the packet is good.
TEST(Hostile, OptionLengths) {
  const auto frame = udp_frame(1);
  for (const std::uint16_t size : {1, 5, 0xffff}) {
    const auto options = FileBytes(true).u16(2).u16(size).data();
    const auto file =
        section_header(true) + interface_block(true, 1, 0, options) + enhanced_packet(true, 0, 1, frame, 46, options);
    const auto replayed = replay_bytes(file);
    EXPECT_FALSE(replayed.collected.error);
    ASSERT_EQ(replayed.collected.packets.size(), 1U);
    EXPECT_EQ(replayed.interfaces.begin()->second.name, "unknown");
  }
}

// Any byte of a small file changed to any of a few values: no crash, and the ledger holds.
TEST(Hostile, EveryByteChanged) {
  for (const auto& file : {pcap_layout().file, pcapng_layout().file}) {
    for (std::size_t i = 0; i < file.size(); ++i) {
      for (const char value : {'\0', '\x7f', '\xff', static_cast<char>(file[i] ^ 1)}) {
        auto changed = file;
        changed[i] = value;
        const auto replayed = replay_bytes(changed);
        EXPECT_TRUE(LossReport{replayed.loss}.balanced());
      }
    }
  }
}

}  // namespace
}  // namespace sonde::test
