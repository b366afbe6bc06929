// SPDX-License-Identifier: Apache-2.0
// Words of `sonde stats`, coverage, and what it prints.
#include "sonde/stats.hpp"

#include <gmock/gmock.h>

#include <sstream>

#include "commands.hpp"
#include "stats/options.hpp"
#include "stats/render.hpp"

namespace sonde::cli {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

DirectionStats offloaded() {
  DirectionStats direction;
  direction.frames = 100;
  direction.frame_bytes = 2'000'000;
  direction.wire = {1400, 2'085'800};
  return direction;
}

TEST(Coverage, IsOfTheUnitThatTheInterfaceCounts) {
  auto direction = offloaded();
  direction.device = {100, 2'000'000};  // a veth
  EXPECT_TRUE(direction.device_counts_frames());
  EXPECT_EQ(direction.coverage(), 1.0);
  direction.device = {1400, 2'085'800 + 4 * 1400};  // a NIC that counts frame check sequences
  EXPECT_FALSE(direction.device_counts_frames());
  EXPECT_EQ(direction.coverage(), 1.0);
}

TEST(Coverage, LossDoesNotChangeTheUnit) {
  auto direction = offloaded();
  direction.device = {200, 4'000'000};  // half was not seen
  EXPECT_TRUE(direction.device_counts_frames());
  EXPECT_EQ(direction.coverage(), 0.5);
  direction.device = {2800, 4'171'600};
  EXPECT_EQ(direction.coverage(), 0.5);
}

TEST(Coverage, WithoutPacketsThereIsNone) {
  DirectionStats direction;
  EXPECT_FALSE(direction.coverage());
  direction.device = {10, 1000};
  EXPECT_EQ(direction.coverage(), 0.0);
  direction.measured = false;
  EXPECT_FALSE(direction.coverage());
}

TEST(StatsText, NeverRoundsUpTo100) {
  TrafficStats total;
  total.duration = 1s;
  InterfaceStats interface {
    2, "eth0", false, {}
  };
  interface.directions[0].wire = {99'999, 9'999'900};
  interface.directions[0].frames = 99'999;
  interface.directions[0].device = {100'000, 10'000'000};
  total.interfaces = {interface};
  const auto text = stats_text(total, total, {});
  EXPECT_THAT(text, HasSubstr("99.99 %"));
  EXPECT_EQ(text.find("100.00 %"), std::string::npos);
}

TrafficStats large_counts() {
  TrafficStats total;
  total.duration = 1s;
  InterfaceStats interface {
    2, "enp65s0f0np0.16", true, {}
  };
  for (auto& direction : interface.directions) {
    direction = offloaded();
    direction.frames = 12'345'678'901;
    direction.frame_bytes = 123'456'789'012'345;
    direction.wire = {98'765'432'109, 123'456'789'012'345};
    direction.device = {12'345'678'901, 123'456'789'012'345};
    direction.sizes[0] = 98'765'432'109;
    direction.protocols[0] = direction.wire;
  }
  total.interfaces = {interface};
  return total;
}

TEST(StatsText, FitsATerminalOf80Columns) {
  const auto total = large_counts();
  const auto text = stats_text(total, total, {.width = 80});
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80U) << text;
  EXPECT_THAT(text, HasSubstr("12345678901 12345678901  100.00 % *  gone\n"));
  EXPECT_THAT(stats_text(total, total, {.width = 110}), HasSubstr("123456789012345  100.00 % *  gone\n"));
  EXPECT_EQ(stats_text(total, total, {.width = 110}), stats_text(total, total, {}));
}

TEST(StatsText, HasNoSharesOfNothing) {
  TrafficStats total;
  total.duration = 1s;
  total.interfaces = {{2, "eth0", false, {}}};
  EXPECT_EQ(stats_text(total, total, {}).find('%'), std::string::npos) << stats_text(total, total, {});
}

TEST(StatsWords, WrongOnesAreTwo) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> table = {
      {{"--interval", "0"}, "--interval '0': expected"}, {{"--duration", "x"}, "--duration 'x': expected"},
      {{"-c", "0"}, "-c '0': expected at least 1"},      {{"-c", "x"}, "-c 'x': expected"},
      {{"--once", "-c", "2"}, "--once: it is the same"}, {{"-o", "xml"}, "--output 'xml': expected one of text, json"},
      {{"--color", "red"}, "--color 'red': expected"},   {{"--nosuch"}, "--nosuch"},
      {{"-i", "nosuch0"}, "no interface 'nosuch0'"},     {{"--xdp-mode", "x"}, "--xdp-mode 'x': expected"}};
  for (const auto& [words, text] : table) {
    std::vector<std::string> all{"stats"};
    all.insert(all.end(), words.begin(), words.end());
    std::ostringstream out, err;
    EXPECT_EQ(run({out, err, false}, all), usage) << text << err.str();
    EXPECT_THAT(err.str(), HasSubstr(text));
    EXPECT_EQ(out.str(), "");
  }
}

TEST(StatsWords, AreTaken) {
  std::ostringstream out, err;
  const auto parsed =
      parse_stats({out, err, false}, {"-i", "a", "-i", "b", "--once", "--interval", "2s", "-o", "json"});
  ASSERT_TRUE(parsed.run) << err.str();
  EXPECT_EQ(parsed.run->options.interfaces, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(parsed.run->count, 1U);
  EXPECT_EQ(parsed.run->interval, 2s);
  EXPECT_TRUE(parsed.run->json);
}

}  // namespace
}  // namespace sonde::cli
