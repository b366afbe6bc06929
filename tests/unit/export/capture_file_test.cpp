// SPDX-License-Identifier: Apache-2.0
// pcapng and pcap files, read back by tshark, capinfos and tcpdump.
#include <gtest/gtest.h>

#include "harness/command.hpp"
#include "samples.hpp"

namespace sonde::exporter {
namespace {

using test::lines_of;
using test::run;
using test::split;

test::MakeSink pcapng(const CaptureFileOptions& options = {}) {
  return [options](Output output) { return make_pcapng_sink(std::move(output), options); };
}
test::MakeSink pcap() {
  return [](Output output) { return make_pcap_sink(std::move(output), {}); };
}

std::vector<std::string> fields(const std::string& path, const std::string& names) {
  return lines_of(run("tshark -n -r " + path + " -T fields -E separator=, " + names + " 2>/dev/null"));
}

std::string time_text(std::int64_t wall_ns) {
  const std::string digits = std::to_string(wall_ns);
  return digits.substr(0, 10) + "." + digits.substr(10);
}

TEST(Pcapng, TsharkReadsTheSameFields) {
  const test::Capture capture = test::all_samples();
  const test::TemporaryFile file(".pcapng");
  test::write_file(capture, pcapng(), file.path());
  const auto lines = fields(file.path(),
                            "-e frame.time_epoch -e frame.len -e frame.cap_len -e frame.interface_name "
                            "-e frame.packet_flags_direction");
  ASSERT_EQ(lines.size(), capture.packets.size());
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const sonde_packet_event& event = capture.events[i];
    const auto cells = split(lines[i], ',');
    ASSERT_EQ(cells.size(), 5U) << lines[i];
    EXPECT_EQ(cells[0], time_text(capture.packets[i].wall_ns));
    EXPECT_EQ(cells[1], std::to_string(event.packet_size));
    EXPECT_EQ(cells[2], std::to_string(event.captured_size));
    EXPECT_EQ(cells[3], capture.interfaces.at(event.header.ifindex).name);
    EXPECT_EQ(std::stoul(cells[4], nullptr, 0), event.direction == SONDE_DIRECTION_OUT ? 2U : 1U) << lines[i];
  }
}

TEST(Pcapng, TheBytesAreTheSame) {
  const test::Capture capture = test::ethernet_samples();
  const test::TemporaryFile first(".pcapng");
  const test::TemporaryFile second(".pcap");
  test::write_file(capture, pcapng(), first.path());
  test::write_file(capture, pcap(), second.path());
  const auto dump = [](const std::string& path) { return run("tshark -n -x -r " + path + " 2>/dev/null"); };
  EXPECT_EQ(dump(first.path()), dump(second.path()));
  const auto hex = lines_of(run("tcpdump -nn -r " + second.path() + " -XX -t -c 1 2>/dev/null"));
  ASSERT_GT(hex.size(), 1U);
  EXPECT_NE(hex[1].find("0200 0000 0002 0200 0000 0001 0800 4500"), std::string::npos);
}

TEST(Pcapng, HeadersAndStatistics) {
  pipeline::Summary summary;
  summary.loss.stages = {{"hook", 100, 40, 50, 10, ""}};
  const test::TemporaryFile file(".pcapng");
  test::write_file(test::ethernet_samples(), pcapng({.snaplen = 4096, .filter = "tcp port 80"}), file.path(), summary);
  const std::string text = run("capinfos -M " + file.path());
  for (const char* expected :
       {"Capture application: sonde ", "Name = eth0", "Filter string = tcp port 80", "Capture length = 4096",
        "Time precision = nanoseconds (9)", "Number of stat entries = 1"}) {
    EXPECT_NE(text.find(expected), std::string::npos) << expected << "\n" << text;
  }
  const std::string content = test::read_file(file.path());
  const auto option = [&content](std::uint16_t code, std::uint64_t value) {
    const std::uint16_t head[2] = {code, 8};
    return content.find(std::string(reinterpret_cast<const char*>(head), 4) +
                        std::string(reinterpret_cast<const char*>(&value), 8)) != std::string::npos;
  };
  EXPECT_TRUE(option(4, 100)) << "isb_ifrecv";
  EXPECT_TRUE(option(5, 10)) << "isb_ifdrop";
  EXPECT_TRUE(option(6, 50)) << "isb_filteraccept";
  EXPECT_TRUE(option(8, test::ethernet_samples().packets.size())) << "isb_usrdeliv";
  EXPECT_NE(content.find("hook: taken 100, given 40, filtered 50, lost 10"), std::string::npos);
}

TEST(Pcapng, EmptyCaptureIsReadable) {
  const test::TemporaryFile file(".pcapng");
  test::write_file({}, pcapng(), file.path());
  EXPECT_EQ(run("tcpdump -r " + file.path() + " 2>/dev/null"), "");
  EXPECT_EQ(run("tshark -r " + file.path() + " 2>/dev/null"), "");
}

TEST(Pcap, EmptyCaptureIsReadable) {
  const test::TemporaryFile file(".pcap");
  test::write_file({}, pcap(), file.path());
  EXPECT_EQ(run("tcpdump -r " + file.path() + " 2>/dev/null"), "");
}

TEST(Pcap, TsharkReadsTheSameFields) {
  const test::Capture capture = test::ethernet_samples();
  const test::TemporaryFile file(".pcap");
  test::write_file(capture, pcap(), file.path());
  const auto lines = fields(file.path(), "-e frame.time_epoch -e frame.len -e frame.cap_len");
  ASSERT_EQ(lines.size(), capture.packets.size());
  for (std::size_t i = 0; i < lines.size(); ++i) {
    EXPECT_EQ(lines[i], time_text(capture.packets[i].wall_ns) + "," + std::to_string(capture.events[i].packet_size) +
                            "," + std::to_string(capture.events[i].captured_size));
  }
}

TEST(Pcap, ASecondLinkTypeIsAnErrorThatKeepsTheFile) {
  const test::Capture capture = test::all_samples();
  const test::TemporaryFile file(".pcap");
  const auto sink = make_pcap_sink(std::move(*open_output(file.path())), {});
  const Result<void> result = sink->write(capture.packets, capture.interfaces);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::usage);
  EXPECT_NE(result.error().text().find("wg0 carries bare IP (write pcapng"), std::string::npos)
      << result.error().text();
  EXPECT_EQ(sink->written(), capture.packets.size() - 2);
  EXPECT_EQ(fields(file.path(), "-e frame.number").size(), capture.packets.size() - 2);
}

// The decoders against Wireshark's dissectors, on the same packets.
TEST(Decoders, AgreeWithTshark) {
  const test::TemporaryFile file(".pcapng");
  test::write_file(test::all_samples(), pcapng(), file.path());
  const auto lines =
      fields(file.path(),
             "-d tcp.port==8443,tls -e http.request.uri -e http.host -e http.response.code -e dns.qry.name "
             "-e dns.a -e dns.cname -e tls.handshake.extensions_server_name -e dns.ptr.domain_name");
  ASSERT_EQ(lines.size(), 27U);
  EXPECT_EQ(lines[2], "/index.html?a=b,example.com,,,,,,");
  EXPECT_EQ(lines[3].find(",,200,"), lines[3].find(','));
  EXPECT_EQ(lines[4], ",,,,,,example.com,");
  EXPECT_EQ(lines[8], ",,,www.example.com,192.0.2.1,web.example.com,,");
  EXPECT_EQ(lines[26], ",,,,,,,box._ssh._tcp.local");
}

}  // namespace
}  // namespace sonde::exporter
