// SPDX-License-Identifier: Apache-2.0
#include "filter_options.hpp"

#include <gmock/gmock.h>

namespace sonde::cli {
namespace {

TEST(PacketSizes, NoWordNoBound) {
  FilterOptions filter;
  EXPECT_TRUE(take_packet_sizes("", "", filter));
  EXPECT_FALSE(filter.min_size || filter.max_size);
}

TEST(PacketSizes, EachGoesToItsOwn) {
  FilterOptions filter;
  EXPECT_TRUE(take_packet_sizes("64", "", filter));
  EXPECT_EQ(filter.min_size, 64U);
  EXPECT_FALSE(filter.max_size);
  EXPECT_TRUE(take_packet_sizes("", "4294967295", filter));
  EXPECT_EQ(filter.max_size, UINT32_MAX);
}

TEST(PacketSizes, WrongWordsAreNamed) {
  FilterOptions filter;
  const auto expect_named = [](const Result<void>& taken, const std::string& text) {
    ASSERT_FALSE(taken) << text;
    EXPECT_EQ(taken.error().kind, ErrorKind::usage);
    EXPECT_THAT(taken.error().message, testing::StartsWith(text));
  };
  expect_named(take_packet_sizes("x", "", filter), "--min-size 'x': expected");
  expect_named(take_packet_sizes("x", "y", filter), "--min-size 'x': expected");
  expect_named(take_packet_sizes("1", "4294967296", filter), "--max-size '4294967296': expected");
}

TEST(OwnerMapSize, Bounds) {
  OwnerOptions owner;
  const auto standard = owner.map_size;
  EXPECT_TRUE(take_owner_map_size("", owner));
  EXPECT_EQ(owner.map_size, standard);
  EXPECT_TRUE(take_owner_map_size("1", owner));
  EXPECT_EQ(owner.map_size, 1U);
  EXPECT_TRUE(take_owner_map_size("16777216", owner));
  EXPECT_EQ(owner.map_size, 16777216U);
  for (const std::string word : {"0", "16777217", "-1", "1K", "many"}) {
    const auto taken = take_owner_map_size(word, owner);
    ASSERT_FALSE(taken) << word;
    EXPECT_EQ(taken.error().kind, ErrorKind::usage);
    EXPECT_THAT(taken.error().message, testing::StartsWith("--owner-map-size '" + word + "': expected"));
  }
  EXPECT_EQ(owner.map_size, 16777216U) << "a wrong word changes nothing";
}

struct Taken {
  FilterOptions filter;
  OwnerOptions owner;
  std::string min_size, max_size, map_size;
  std::vector<std::string> expression;
};

// All groups on one command.
Taken take(std::vector<std::string> words) {
  Taken taken;
  CLI::App app;
  OptionGroup group(app, "Filters");
  add_endpoint_filters(group, taken.filter);
  add_packet_filters(group, taken.filter, taken.min_size, taken.max_size);
  add_owner_filters(group, taken.owner.filter);
  add_owner_tracking(group, taken.owner, taken.map_size);
  add_expression(app, taken.expression);
  std::ranges::reverse(words);
  app.parse(words);
  return taken;
}

TEST(FilterOptions, OneWordEach) {
  const auto taken = take({"--ip", "10.0.0.1", "tcp", "--pid", "1", "port", "80", "--min-size", "9", "--max-size", "x",
                           "--owner-map-size", "7"});
  EXPECT_EQ(taken.filter.networks, std::vector<std::string>{"10.0.0.1"});
  EXPECT_EQ(taken.owner.filter.pids, std::vector<std::string>{"1"});
  EXPECT_EQ(taken.expression, (std::vector<std::string>{"tcp", "port", "80"}));
  EXPECT_EQ(taken.min_size, "9");
  EXPECT_EQ(taken.max_size, "x") << "checked by take_packet_sizes()";
  EXPECT_EQ(taken.map_size, "7");
  EXPECT_EQ(taken.filter.direction, "both");
}

}  // namespace
}  // namespace sonde::cli
