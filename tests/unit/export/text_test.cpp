// SPDX-License-Identifier: Apache-2.0
// The text outputs against tcpdump's of the same packets.
#include <gtest/gtest.h>

#include "export/names.hpp"
#include "harness/command.hpp"
#include "samples.hpp"

namespace sonde::exporter {
namespace {

using test::lines_of;
using test::operator+;

std::string tcpdump(const test::Capture& capture, const std::string& options) {
  const test::TemporaryFile file(".pcap");
  test::write_file(
      capture, [](Output output) { return make_pcap_sink(std::move(output), {}); }, file.path());
  return test::run("tcpdump -nn -t " + options + " -r " + file.path() + " 2>/dev/null");
}

// The lines of a dump begin with a tab, those of packets do not.
std::vector<std::string> dump_lines(const std::string& text) {
  std::vector<std::string> lines = lines_of(text);
  std::erase_if(lines, [](const std::string& line) { return !line.starts_with('\t'); });
  return lines;
}

TEST(Text, HexDumpIsTcpdumps) {
  const test::Capture capture = test::ethernet_samples();
  const auto make = [](Output output) { return make_hex_sink(std::move(output), {}); };
  EXPECT_EQ(dump_lines(test::output_of(capture, make)), dump_lines(tcpdump(capture, "-XX")));
}

TEST(Text, PrintableTextIsTcpdumps) {
  test::Capture capture;
  capture.interfaces[1] = {"eth0", LinkType::ethernet};
  const test::Buffer payload = test::corpus("http/get") + test::hex("0d00090a7fff20");
  capture.add(test::ethernet(0x800, test::ipv4(6, test::tcp(1, 2, 0x18, payload))), 1, SONDE_DIRECTION_IN);
  const auto make = [](Output output) { return make_ascii_sink(std::move(output), {}); };
  const auto after_first_line = [](const std::string& text) { return text.substr(text.find('\n')); };
  EXPECT_EQ(after_first_line(test::output_of(capture, make)), after_first_line(tcpdump(capture, "-A")));
}

// "IP 10.0.0.1.443 > 10.0.0.2.80: Flags [S.E]" of a line.
std::string through_flags(const std::string& line) {
  const std::size_t begin = line.find("IP");
  const std::size_t end = line.find(']');
  if (begin == std::string::npos || end == std::string::npos) return line;
  return line.substr(begin, end - begin + 1);
}

TEST(Text, AllTcpFlagsAreTcpdumps) {
  test::Capture capture;
  capture.interfaces[1] = {"eth0", LinkType::ethernet};
  for (unsigned flags = 0; flags < 256; ++flags) {
    const test::Buffer segment = test::tcp(443, 8080, static_cast<std::uint8_t>(flags), {});
    capture.add(test::ethernet(0x86dd, test::ipv6(6, segment)), 1, SONDE_DIRECTION_IN);
  }
  const auto make = [](Output output) { return make_text_sink(std::move(output), {}); };
  const auto ours = lines_of(test::output_of(capture, make));
  const auto theirs = lines_of(tcpdump(capture, "-S"));
  ASSERT_EQ(ours.size(), 256U);
  ASSERT_EQ(theirs.size(), 256U);
  for (std::size_t i = 0; i < 256; ++i) EXPECT_EQ(through_flags(ours[i]), through_flags(theirs[i]));
}

TEST(Text, InterfaceNamesCannotDriveATerminal) {
  test::Capture capture;
  capture.interfaces[1] = {"a\x1b[31m\n b" + std::string(1000, 'x'), LinkType::ethernet};
  capture.add(test::ethernet(0x88cc, {}), 1, SONDE_DIRECTION_IN);
  const std::string text =
      test::output_of(capture, [](Output output) { return make_text_sink(std::move(output), {}); });
  EXPECT_NE(text.find(" a?[31m??b"), std::string::npos);
  EXPECT_EQ(lines_of(text).size(), 1U);
}

TEST(Names, EveryNumberIsSafe) {
  for (unsigned i = 0; i < 256; ++i) {
    const auto number = static_cast<std::uint8_t>(i);
    EXPECT_LE(tcp_flag_letters(number).size(), 8U);
    EXPECT_FALSE(status_word(number).empty());
    EXPECT_LE(status_remark(number).size(), 64U);
    EXPECT_LE(icmp_type_name(number).size() + icmp6_type_name(number).size(), 64U);
  }
}

}  // namespace
}  // namespace sonde::exporter
