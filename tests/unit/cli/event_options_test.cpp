// SPDX-License-Identifier: Apache-2.0
#include "events/options.hpp"

#include <gmock/gmock.h>

#include <sstream>

#include "commands.hpp"

namespace sonde::cli {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using Words = std::vector<std::string>;

constexpr EventCommand with_everything{"command", "What it does.", "Which ones", "Examples", true, true};
constexpr EventCommand of_packets{"command", "What it does.", "Which ones", "Examples", false, true};
constexpr EventCommand plain{"command", "What it does.", "Which ones", "Examples", false, false};

struct Parsed {
  ParsedEvents result;
  std::string out, err;
};

Parsed parse(const Words& words, const EventCommand& command = with_everything, bool terminal = false) {
  std::ostringstream out, err;
  const Environment env{out, err, terminal};
  auto result = parse_events(env, command, words);
  return {std::move(result), out.str(), err.str()};
}

EventOptions options(const Words& words, bool terminal = false) {
  const auto parsed = parse(words, with_everything, terminal);
  EXPECT_TRUE(parsed.result.options) << parsed.err;
  EXPECT_EQ(parsed.result.status, well);
  return parsed.result.options.value_or(EventOptions{});
}

// Status 2, nothing on standard output, and the text in the error.
void expect_wrong(const Parsed& parsed, const std::string& text) {
  EXPECT_FALSE(parsed.result.options) << text;
  EXPECT_EQ(parsed.result.status, usage) << text;
  EXPECT_THAT(parsed.err, HasSubstr(text));
  EXPECT_EQ(parsed.out, "");
}

struct Ended {
  int status;
  std::string out, err;
};

Ended run_words(Words words) {
  std::ostringstream out, err;
  const Environment env{out, err, false};
  const int status = run(env, std::move(words));
  return {status, out.str(), err.str()};
}

TEST(EventWords, NoneAreTheDefaults) {
  const auto parsed = parse({});
  ASSERT_TRUE(parsed.result.options);
  EXPECT_FALSE(parsed.result.snapshot || parsed.result.quiet);
  const auto& plain_options = *parsed.result.options;
  const EventOptions defaults;
  EXPECT_EQ(plain_options.output, "text");
  EXPECT_FALSE(plain_options.summary || plain_options.color || plain_options.buffer_bytes);
  EXPECT_EQ(plain_options.count, 0U);
  EXPECT_EQ(plain_options.duration, 0ns);
  EXPECT_EQ(plain_options.filter.protocol, "all");
  EXPECT_EQ(plain_options.filter.direction, "both");
  EXPECT_EQ(plain_options.filter.expression, "");
  EXPECT_FALSE(plain_options.filter.min_size || plain_options.filter.max_size);
  EXPECT_EQ(plain_options.owner.hook, "auto");
  EXPECT_EQ(plain_options.owner.map_size, defaults.owner.map_size);
  EXPECT_TRUE(plain_options.owner.filter.empty());
}

TEST(EventWords, EndpointFilters) {
  const auto filter = options({"--protocol", "tcp",   "--src-ip", "10.0.0.1",   "--src-ip", "fd00::/8",   "--dst-ip",
                               "10.0.0.2",   "--ip",  "::1",      "--src-port", "1-2",      "--dst-port", "443",
                               "--port",     "53,80", "tcp",      "and",        "not",      "host",       "::1"})
                          .filter;
  EXPECT_EQ(filter.protocol, "tcp");
  EXPECT_EQ(filter.source_networks, (Words{"10.0.0.1", "fd00::/8"}));
  EXPECT_EQ(filter.destination_networks, Words{"10.0.0.2"});
  EXPECT_EQ(filter.networks, Words{"::1"});
  EXPECT_EQ(filter.source_ports, Words{"1-2"});
  EXPECT_EQ(filter.destination_ports, Words{"443"});
  EXPECT_EQ(filter.ports, Words{"53,80"});
  EXPECT_EQ(filter.expression, "tcp and not host ::1");
}

TEST(EventWords, PacketFilters) {
  const auto filter = options({"--direction", "in", "--min-size", "0", "--max-size", "4294967295"}).filter;
  EXPECT_EQ(filter.direction, "in");
  EXPECT_EQ(filter.min_size, 0U);
  EXPECT_EQ(filter.max_size, UINT32_MAX);
}

TEST(EventWords, Owners) {
  const auto owner = options({"--pid", "1,2", "--pid", "3", "--process", "nginx", "--user", "www-data", "--container",
                              "1f2e3d4c", "--hook", "cgroup", "--owner-map-size", "16777216"})
                         .owner;
  EXPECT_EQ(owner.filter.pids, (Words{"1,2", "3"}));
  EXPECT_EQ(owner.filter.processes, Words{"nginx"});
  EXPECT_EQ(owner.filter.users, Words{"www-data"});
  EXPECT_EQ(owner.filter.containers, Words{"1f2e3d4c"});
  EXPECT_EQ(owner.hook, "cgroup");
  EXPECT_EQ(owner.map_size, 16777216U);
}

TEST(EventWords, Outputs) {
  const auto all = options({"-o", "json", "--summary", "-c", "7", "--duration", "2m", "--buffer", "64K"});
  EXPECT_EQ(all.output, "json");
  EXPECT_TRUE(all.summary);
  EXPECT_EQ(all.count, 7U);
  EXPECT_EQ(all.duration, 2min);
  EXPECT_EQ(all.buffer_bytes, 65536U);
  EXPECT_EQ(options({"--output", "json", "--count", "18446744073709551615"}).count, UINT64_MAX);
  EXPECT_TRUE(parse({"-q"}).result.quiet);
  EXPECT_TRUE(parse({"--quiet"}).result.quiet);
  EXPECT_TRUE(parse({"--snapshot"}).result.snapshot);
}

TEST(EventWords, Color) {
  EXPECT_TRUE(options({}, true).color);
  EXPECT_FALSE(options({"--color", "never"}, true).color);
  EXPECT_TRUE(options({"--color", "always"}).color);
}

TEST(EventWords, WrongOnesAreNamedAndExpectSomething) {
  const std::vector<std::pair<Words, std::string>> table = {
      {{"-c", "0"}, "-c '0': expected at least 1"},
      {{"-c", "-3"}, "-c '-3': expected"},
      {{"--duration", "x"}, "--duration 'x': expected"},
      {{"--duration", "0"}, "--duration '0': expected"},
      {{"--buffer", "16MB"}, "--buffer '16MB': expected"},
      {{"--buffer", "0"}, "--buffer '0': expected"},
      {{"--color", "red"}, "--color 'red': expected"},
      {{"--owner-map-size", "0"}, "--owner-map-size '0': expected at least 1"},
      {{"--owner-map-size", "16777217"}, "--owner-map-size '16777217': expected"},
      {{"--owner-map-size", "many"}, "--owner-map-size 'many': expected"},
      {{"--min-size", "x"}, "--min-size 'x': expected"},
      {{"--max-size", "4294967296"}, "--max-size '4294967296': expected"},
      {{"--quiet", "--summary"}, "--quiet: --summary"},
      {{"--nosuch"}, "--nosuch"},
      {{"--pid"}, "--pid"},
  };
  for (const auto& [words, text] : table) expect_wrong(parse(words), text);
}

TEST(EventWords, ASnapshotHasNoEndToWaitFor) {
  const std::vector<std::pair<Words, std::string>> table = {{{"-c", "1"}, "-c: "},
                                                            {{"--duration", "1s"}, "--duration: "},
                                                            {{"--summary"}, "--summary: "},
                                                            {{"-q"}, "--quiet: "}};
  for (const auto& [others, text] : table) {
    Words words{"--snapshot"};
    words.insert(words.end(), others.begin(), others.end());
    expect_wrong(parse(words), text + "--snapshot shows what is open now");
  }
}

TEST(EventWords, OnlyACommandThatHasThemTakesThem) {
  for (const Words& words : {Words{"--direction", "in"}, {"--min-size", "1"}, {"--max-size", "1"}, {"--snapshot"}})
    expect_wrong(parse(words, plain), words.front());
  expect_wrong(parse({"--snapshot"}, of_packets), "--snapshot");
  EXPECT_TRUE(parse({"--direction", "in"}, of_packets).result.options);
}

TEST(EventWords, TheCommandsHaveWhatTheirEventsHave) {
  for (const std::string command : {"retrans", "connections"})
    for (const Words& words : {Words{"--direction", "in"}, {"--min-size", "1"}, {"--max-size", "1"}}) {
      const auto ended = run_words({command, words[0], words[1]});
      EXPECT_EQ(ended.status, usage) << command;
      EXPECT_THAT(ended.err, HasSubstr(words[0])) << command;
    }
  for (const std::string command : {"retrans", "drops"}) {
    const auto ended = run_words({command, "--snapshot"});
    EXPECT_EQ(ended.status, usage) << command;
    EXPECT_THAT(ended.err, HasSubstr("--snapshot")) << command;
  }
}

// The library checks what it is given: owners, filters and outputs.
TEST(EventWords, TheLibrarysErrorsAreTwo) {
  const std::vector<std::pair<Words, std::string>> table = {
      {{"--hook", "bogus"}, "--hook 'bogus': expected one of auto, fentry"},
      {{"--pid", "4711x"}, "--pid '4711x': expected"},
      {{"--user", "no-such-user"}, "--user 'no-such-user': expected"},
      {{"--container", "abc"}, "--container 'abc': expected"},
      {{"-o", "xml"}, "--output 'xml': expected one of text, json"},
      {{"--port", "x"}, "--port"},
      {{"--src-ip", "10.0.0"}, "--src-ip"},
      {{"(tcp"}, "(tcp"},
  };
  for (const std::string command : {"retrans", "drops", "connections"})
    for (const auto& [words, text] : table) {
      Words all{command};
      all.insert(all.end(), words.begin(), words.end());
      const auto ended = run_words(all);
      EXPECT_EQ(ended.status, usage) << command << ": " << ended.err;
      EXPECT_THAT(ended.err, HasSubstr(text)) << command;
      EXPECT_EQ(ended.out, "");
    }
}

TEST(EventWords, HelpListsEveryOption) {
  const Words shared = {"--protocol",       "--src-ip", "--dst-ip",   "--ip",    "--src-port",  "--dst-port",
                        "--port",           "--pid",    "--process",  "--user",  "--container", "--output",
                        "--summary",        "--count",  "--duration", "--quiet", "--color",     "--hook",
                        "--owner-map-size", "--buffer"};
  const auto expect_listed = [](const std::string& command, const Words& words, const Words& others) {
    const auto help = run_words({command, "--help"});
    EXPECT_EQ(help.status, well) << command;
    EXPECT_EQ(help.err, "") << command;
    EXPECT_THAT(help.out, HasSubstr("sonde " + command + " ")) << "an example";
    for (const auto& word : words) EXPECT_THAT(help.out, HasSubstr(word)) << command;
    for (const auto& word : others) EXPECT_THAT(help.out, testing::Not(HasSubstr(word))) << command;
  };
  for (const std::string command : {"retrans", "drops", "connections"}) expect_listed(command, shared, {});
  expect_listed("retrans", {}, {"--direction", "--min-size", "--max-size", "--snapshot"});
  expect_listed("drops", {"--direction", "--min-size", "--max-size"}, {"--snapshot"});
  expect_listed("connections", {"--snapshot"}, {"--direction", "--min-size", "--max-size"});
}

}  // namespace
}  // namespace sonde::cli
