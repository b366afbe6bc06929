// SPDX-License-Identifier: Apache-2.0
// The words of `sonde flows`, and the terminal that it leaves behind.
#include "flows/options.hpp"

#include <gmock/gmock.h>

#include <sstream>

#include "commands.hpp"
#include "harness/command.hpp"
#include "screen.hpp"

namespace sonde::cli {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using Words = std::vector<std::string>;

struct Parsed {
  ParsedFlows result;
  std::string out, err;
};

Parsed parse(const Words& words, bool terminal = false) {
  std::ostringstream out, err;
  const Environment env{out, err, terminal};
  auto result = parse_flows(env, words);
  return {std::move(result), out.str(), err.str()};
}

TEST(FlowWords, Defaults) {
  const auto parsed = parse({});
  ASSERT_TRUE(parsed.result.options) << parsed.err;
  const auto& options = *parsed.result.options;
  EXPECT_EQ(options.output, "text");
  EXPECT_EQ(options.by, "flow");
  EXPECT_EQ(options.sort, "rate");
  EXPECT_EQ(options.top, 20U);
  EXPECT_FALSE(options.interval);
  EXPECT_FALSE(options.flows.owners);
  EXPECT_FALSE(parsed.result.screen);
}

TEST(FlowWords, AreTaken) {
  const auto parsed = parse(
      {"-i",          "eth0+eth1",  "-i",         "lo",    "--by",           "dst-port", "--sort",      "bytes",
       "--top",       "5",          "--interval", "500ms", "--idle-timeout", "15s",      "--duration",  "2m",
       "--max-flows", "100",        "--buffer",   "1M",    "--xdp-mode",     "generic",  "--no-owners", "--direction",
       "in",          "--min-size", "60",         "tcp",   "port",           "80"});
  ASSERT_TRUE(parsed.result.options) << parsed.err;
  const auto& options = *parsed.result.options;
  EXPECT_EQ(options.flows.interfaces, (Words{"eth0+eth1", "lo"}));
  EXPECT_EQ(options.by, "dst-port");
  EXPECT_EQ(options.sort, "bytes");
  EXPECT_EQ(options.top, 5U);
  EXPECT_EQ(options.interval, 500ms);
  EXPECT_EQ(options.flows.idle_timeout, 15s);
  EXPECT_EQ(options.duration, 2min);
  EXPECT_EQ(options.flows.max_flows, 100U);
  EXPECT_EQ(options.flows.buffer_bytes, 1048576U);
  EXPECT_EQ(options.flows.xdp_mode, "generic");
  EXPECT_EQ(options.flows.owners, false);
  EXPECT_EQ(options.flows.filter.direction, "in");
  EXPECT_EQ(options.flows.filter.min_size, 60U);
  EXPECT_EQ(options.flows.filter.expression, "tcp port 80");
}

TEST(FlowWords, ATerminalGetsAScreenUnlessAFileIsRead) {
  EXPECT_TRUE(parse({}, true).result.screen);
  EXPECT_EQ(parse({}, true).result.options->output, "");
  EXPECT_FALSE(parse({"-r", "f.pcap"}, true).result.screen);
  EXPECT_FALSE(parse({"-o", "json"}, true).result.screen);
  EXPECT_FALSE(parse({"-q"}, true).result.screen);
  EXPECT_EQ(parse({"-o", "json", "--by", "src"}).result.options->top, 0U) << "all";
}

TEST(FlowWords, WrongOnesAreNamedAndExpectSomething) {
  const std::vector<std::pair<Words, std::string>> table = {
      {{"--top", "0"}, "--top '0': expected at least 1"},
      {{"--top", "many"}, "--top 'many': expected"},
      {{"--interval", "0"}, "--interval '0': expected"},
      {{"--idle-timeout", "x"}, "--idle-timeout 'x': expected"},
      {{"-o", "json", "--active-timeout", "-1"}, "--active-timeout '-1': expected"},
      {{"--duration", "x"}, "--duration 'x': expected"},
      {{"--max-flows", "0"}, "--max-flows '0': expected"},
      {{"--max-flows", "99999999999"}, "--max-flows '99999999999': expected"},
      {{"--buffer", "0"}, "--buffer '0': expected"},
      {{"--color", "red"}, "--color 'red': expected"},
      {{"--min-size", "x"}, "--min-size 'x': expected"},
      {{"--nosuch"}, "--nosuch"},
      {{"-o", "json", "--top", "3"}, "--top: records"},
      {{"--active-timeout", "3s"}, "--active-timeout: it is about records"},
      {{"--domain", "3"}, "--domain: expected -o ipfix"},
      {{"-o", "ipfix", "--export", "a:1", "-q"}, "--quiet: -o ipfix"},
      {{"-o", "json", "--sort", "bytes"}, "--sort: records"},
  };
  for (const auto& [words, text] : table) {
    const auto parsed = parse(words);
    EXPECT_FALSE(parsed.result.options) << text;
    EXPECT_EQ(parsed.result.status, usage) << text;
    EXPECT_THAT(parsed.err, HasSubstr(text));
  }
}

TEST(FlowWords, TheLibrarysErrorsAreTwo) {
  const std::vector<std::pair<Words, std::string>> table = {
      {{"-o", "xml"}, "--output 'xml': expected one of text, json, ipfix"},
      {{"--by", "port"}, "--by 'port': expected one of flow, process"},
      {{"--sort", "size"}, "--sort 'size': expected one of bytes"},
      {{"-o", "ipfix"}, "-o ipfix: expected --export HOST:PORT"},
      {{"--export", "a:1"}, "--export 'a:1': expected -o ipfix"},
      {{"-o", "ipfix", "--export", "nowhere"}, "--export 'nowhere': expected HOST:PORT"},
      {{"-o", "ipfix", "--export", "a:1", "--by", "src"}, "--by 'src': IPFIX carries flows"},
      {{"--by", "country"}, "--by 'country': expected --country-file"},
      {{"--country-file", "f.mmdb"}, "--country-file 'f.mmdb': expected --by country"},
      {{"--by", "process", "-r", "f.pcap"}, "--by 'process': a file does not tell"},
      {{"-r", "f.pcap", "-i", "lo"}, "-i"},
      {{"-r", "f.pcap", "--pid", "1"}, "--pid"},
      {{"--pid", "x"}, "--pid 'x'"},
      {{"-i", "lo", "--source", "pcap"}, "--source 'pcap': expected one of auto, file, ebpf, afpacket"},
      {{"-i", "lo", "--source", "afpacket", "--xdp-mode", "native"}, "--xdp-mode: source afpacket has no such option"},
      {{"-i", "lo", "--no-owners", "--user", "root"}, "--user: owners are off"},
      {{"-i", "lo+", "--source", "ebpf"}, "-i 'lo+': expected a name on both sides"},
      {{"-i", "lo", "--port", "x"}, "--port"},
      {{"-i", "nosuch0"}, "nosuch0"},
  };
  for (const auto& [words, text] : table) {
    Words all{"flows"};
    all.insert(all.end(), words.begin(), words.end());
    std::ostringstream out, err;
    const Environment env{out, err, false};
    EXPECT_EQ(run(env, all), usage) << text << err.str();
    EXPECT_THAT(err.str(), HasSubstr(text));
    EXPECT_EQ(out.str(), "");
  }
}

TEST(FlowWords, ACountryFileThatIsNoneIsOne) {
  std::ostringstream out, err;
  const Environment env{out, err, false};
  EXPECT_EQ(run(env, {"flows", "--by", "country", "--country-file", "/etc/hostname"}), failed);
  EXPECT_THAT(err.str(), HasSubstr("--country-file /etc/hostname"));
}

TEST(Screen, TextReplacesWhatWasThereAndKeepsToItsRows) {
  EXPECT_EQ(screen_text("a\nb\n", {.rows = 24, .columns = 80}), "\033[Ha\033[K\r\nb\033[K\r\n\033[J");
  EXPECT_EQ(screen_text("a\nb\nc\nd\n", {.rows = 3, .columns = 80}), "\033[Ha\033[K\r\nb\033[K\r\n\033[J");
  EXPECT_EQ(screen_text("", {.rows = 3, .columns = 80}), "\033[H\033[J");
}

// Little-endian, as on the machine that wrote it.
std::string number(std::uint32_t value) { return {reinterpret_cast<const char*>(&value), sizeof(value)}; }

// Ethernet, IPv4, UDP from 10.0.0.1 to 10.0.0.2, as a record of a pcap file.
std::string datagram_at(std::uint32_t second) {
  using namespace std::string_literals;
  const auto frame = std::string(12, '\2') + "\x08\0"s + "\x45\0\0\x1c\0\0\0\0\x40\x11\0\0\x0a\0\0\1\x0a\0\0\2"s +
                     "\x9c\x40\0\x35\0\x08\0\0"s;
  const auto size = number(static_cast<std::uint32_t>(frame.size()));
  return number(second) + number(0) + size + size + frame;
}

TEST(FlowSummary, OfAFileLastsFromItsFirstPacketToItsLast) {
  const test::TemporaryFile file(".pcap");
  file.write(number(0xa1b2c3d4) + number(0x00040002) + number(0) + number(0) + number(65535) + number(1) +
             datagram_at(1000) + datagram_at(1090));
  std::ostringstream out, err;
  EXPECT_EQ(run({out, err, false}, {"flows", "-q", "-r", file.path()}), well) << err.str();
  EXPECT_THAT(err.str(), HasSubstr("2 packets, 84 bytes in 90.0 s"));
}

}  // namespace
}  // namespace sonde::cli
