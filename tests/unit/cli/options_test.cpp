// SPDX-License-Identifier: Apache-2.0
#include "capture/options.hpp"

#include <gtest/gtest.h>

#include <sstream>

namespace sonde::cli {
namespace {

using namespace std::chrono_literals;
using Words = std::vector<std::string>;

struct Parsed {
  ParsedCapture result;
  std::string out, err;
};

Parsed parse(const Words& words, bool terminal = false) {
  std::ostringstream out, err;
  const Environment env{out, err, terminal};
  auto result = parse_capture(env, words);
  return {std::move(result), out.str(), err.str()};
}

CaptureOptions options(const Words& words, bool terminal = false) {
  const auto parsed = parse(words, terminal);
  EXPECT_TRUE(parsed.result.options) << parsed.err;
  return parsed.result.options.value_or(CaptureOptions{});
}

TEST(CaptureWords, NoneAreTheDefaults) {
  const auto plain = options({});
  EXPECT_TRUE(plain.interfaces.empty());
  EXPECT_EQ(plain.source, "auto");
  EXPECT_EQ(plain.output, "text");
  EXPECT_TRUE(plain.print);
  EXPECT_FALSE(plain.color);
  EXPECT_FALSE(plain.snaplen || plain.rings || plain.workers || plain.buffer_bytes || plain.xdp_mode ||
               plain.transport);
  EXPECT_EQ(plain.filter.protocol, "all");
  EXPECT_EQ(plain.filter.expression, "");
}

TEST(CaptureWords, Sources) {
  const auto all =
      options({"-i", "a", "--interface", "b", "--xdp-mode", "auto", "--transport", "perf", "--rings", "4", "--buffer",
               "2M", "--workers", "3", "--no-promiscuous", "-r", "f.pcap", "--source", "file"});
  EXPECT_EQ(all.interfaces, (Words{"a", "b"}));
  EXPECT_EQ(all.xdp_mode, "auto");
  EXPECT_EQ(all.transport, "perf");
  EXPECT_EQ(all.rings, 4U);
  EXPECT_EQ(all.buffer_bytes, 2U << 20);
  EXPECT_EQ(all.workers, 3U);
  EXPECT_EQ(all.promiscuous, false);
  EXPECT_EQ(all.read_file, "f.pcap");
  EXPECT_EQ(all.source, "file");
  EXPECT_EQ(options({"--rings", "cpu"}).rings, 0U);
}

TEST(CaptureWords, Filters) {
  const auto all =
      options({"--protocol",  "tcp", "--src-ip",   "10.0.0.1", "--src-ip",   "fd00::/8",   "--dst-ip", "10.0.0.2",
               "--ip",        "::1", "--src-port", "1-2",      "--dst-port", "443",        "--port",   "53,80",
               "--direction", "in",  "--min-size", "0",        "--max-size", "4294967295", "tcp",      "port",
               "443",         "and", "not",        "host",     "::1"});
  const auto& filter = all.filter;
  EXPECT_EQ(filter.protocol, "tcp");
  EXPECT_EQ(filter.source_networks, (Words{"10.0.0.1", "fd00::/8"}));
  EXPECT_EQ(filter.destination_networks, Words{"10.0.0.2"});
  EXPECT_EQ(filter.networks, Words{"::1"});
  EXPECT_EQ(filter.source_ports, Words{"1-2"});
  EXPECT_EQ(filter.destination_ports, Words{"443"});
  EXPECT_EQ(filter.ports, Words{"53,80"});
  EXPECT_EQ(filter.direction, "in");
  EXPECT_EQ(filter.min_size, 0U);
  EXPECT_EQ(filter.max_size, UINT32_MAX);
  EXPECT_EQ(filter.expression, "tcp port 443 and not host ::1");
}

TEST(CaptureWords, TheExpressionMayStandAnywhere) {
  EXPECT_EQ(options({"-i", "lo", "tcp port 80", "-c", "5"}).filter.expression, "tcp port 80");
  EXPECT_EQ(options({"-i", "lo", "udp"}).interfaces, Words{"lo"}) << "-i takes one word";
  EXPECT_EQ(options({"--port", "53", "udp"}).filter.ports, Words{"53"});
  EXPECT_EQ(options({"--", "len", ">", "100"}).filter.expression, "len > 100");
}

TEST(CaptureWords, Outputs) {
  const auto all =
      options({"-o", "json", "-w", "f", "--format", "pcap", "--snaplen", "0", "-c", "7", "--duration", "2m"});
  EXPECT_EQ(all.output, "json");
  EXPECT_TRUE(all.print);
  EXPECT_EQ(all.write_file, "f");
  EXPECT_EQ(all.write_format, "pcap");
  EXPECT_EQ(all.snaplen, 0U);
  EXPECT_EQ(all.count, 7U);
  EXPECT_EQ(all.duration, 2min);
  EXPECT_FALSE(options({"-w", "f"}).print) << "no lines unless -o";
  EXPECT_FALSE(options({"-q"}).print);
  EXPECT_FALSE(options({"-q", "-o", "json"}).print);
}

TEST(CaptureWords, Color) {
  EXPECT_TRUE(options({}, true).color);
  EXPECT_FALSE(options({"--color", "never"}, true).color);
  EXPECT_TRUE(options({"--color", "always"}).color);
}

TEST(CaptureWords, WrongOnesAreNamedAndExpectSomething) {
  const std::vector<std::pair<Words, std::string>> table = {
      {{"--min-size", "x"}, "--min-size 'x': expected"},
      {{"--max-size", "4294967296"}, "--max-size '4294967296': expected"},
      {{"--snaplen", "65536"}, "--snaplen '65536': expected"},
      {{"-c", "-3"}, "-c '-3': expected"},
      {{"-c", "0"}, "-c '0': expected at least 1"},
      {{"--workers", "0"}, "--workers '0': expected at least 1"},
      {{"--workers", "65"}, "--workers '65': expected"},
      {{"--rings", "0"}, "--rings '0': expected at least 1"},
      {{"--rings", "many"}, "--rings 'many': expected"},
      {{"--buffer", "16MB"}, "--buffer '16MB': expected"},
      {{"--duration", "soon"}, "--duration 'soon': expected"},
      {{"--color", "red"}, "--color 'red': expected"},
      {{"--nosuch"}, "--nosuch"},
      {{"-i"}, "-i"},
  };
  for (const auto& [words, text] : table) {
    const auto parsed = parse(words);
    EXPECT_FALSE(parsed.result.options) << text;
    EXPECT_EQ(parsed.result.status, usage) << text;
    EXPECT_NE(parsed.err.find(text), std::string::npos) << text << " in " << parsed.err;
    EXPECT_EQ(parsed.out, "");
  }
}

TEST(CaptureWords, HelpListsEveryOption) {
  const auto help = parse({"--help"});
  EXPECT_FALSE(help.result.options);
  EXPECT_EQ(help.result.status, well);
  for (const std::string option :
       {"--interface", "--read",           "--source",    "--xdp-mode", "--transport", "--rings",  "--buffer",
        "--workers",   "--no-promiscuous", "--protocol",  "--src-ip",   "--dst-ip",    "--ip",     "--src-port",
        "--dst-port",  "--port",           "--direction", "--min-size", "--max-size",  "--output", "--write",
        "--format",    "--snaplen",        "--count",     "--duration", "--quiet",     "--color"})
    EXPECT_NE(help.out.find(option), std::string::npos) << option;
  for (const std::string word : {"afpacket", "ebpf", "json", "decode", "pcapng"})
    EXPECT_NE(help.out.find(word), std::string::npos);
}

}  // namespace
}  // namespace sonde::cli
