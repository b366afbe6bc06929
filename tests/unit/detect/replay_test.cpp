// SPDX-License-Identifier: Apache-2.0
// What holds for the events of any traffic.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "corpus/flow_model.hpp"
#include "corpus/scenes.hpp"
#include "event_text.hpp"

namespace sonde::detect {
namespace {

corpus::Traffic traffic_of(const corpus::AttackScene& scene, std::uint64_t seed) {
  corpus::Traffic traffic(seed);
  static_cast<void>(scene.make(traffic));
  traffic.sort();
  return traffic;
}

class Replay : public testing::TestWithParam<corpus::AttackScene> {};

TEST_P(Replay, TwiceGivesTheSameEvents) {
  const auto first = text_of(corpus::play(traffic_of(GetParam(), 7)));
  EXPECT_FALSE(first.empty());
  EXPECT_EQ(first, text_of(corpus::play(traffic_of(GetParam(), 7))));
}

TEST_P(Replay, EventsStartAreUpdatedAndEnd) {
  struct Life {
    SecurityEvent last;
    int states = 0;
  };
  std::map<std::uint64_t, Life> lives;
  std::uint64_t last_id = 0;
  std::int64_t last_ns = 0;
  for (const auto& event : corpus::play(traffic_of(GetParam(), 8))) {
    EXPECT_GE(event.wall_ns, last_ns);
    last_ns = event.wall_ns;
    auto& life = lives[event.id];
    if (life.states++ == 0) {
      EXPECT_EQ(event.state, SecurityState::started);
      EXPECT_EQ(event.id, ++last_id);
    } else {
      EXPECT_NE(event.state, SecurityState::started);
      EXPECT_NE(life.last.state, SecurityState::ended);
      EXPECT_EQ(event.kind, life.last.kind);
      if (event.state == SecurityState::updated) {
        EXPECT_GE(event.wall_ns - life.last.wall_ns, 10'000'000'000);
      }
      EXPECT_GE(event.last_wall_ns, life.last.last_wall_ns);
    }
    EXPECT_LE(event.first_wall_ns, event.last_wall_ns) << text_of(event);
    EXPECT_FALSE(event.summary.empty());
    EXPECT_FALSE(event.evidence.empty());
    EXPECT_FALSE(event.who.empty());
    EXPECT_FALSE(event.whom.empty());
    EXPECT_LE(event.who.size(), 10U);
    EXPECT_LE(event.whom.size(), 10U);
    EXPECT_LE(event.flows.size(), 5U);
    EXPECT_GE(event.sources, event.who.size());
    EXPECT_GE(event.targets, event.whom.size());
    EXPECT_TRUE(event.block.empty() || event.response.find(event.block) != std::string::npos) << text_of(event);
    life.last = event;
  }
  ASSERT_FALSE(lives.empty());
  for (const auto& [id, life] : lives) EXPECT_EQ(life.last.state, SecurityState::ended) << id;
}

TEST_P(Replay, SwitchedOffFindsNothing) {
  SecurityConfig config;
  for (const auto& option : security_options()) {
    if (std::string_view(option.unit) != "on/off") continue;
    ASSERT_TRUE(config.set(option.key, "off"));
  }
  EXPECT_TRUE(corpus::play(traffic_of(GetParam(), 7), config).empty());
}

std::string name_of(const testing::TestParamInfo<corpus::AttackScene>& scene) {
  std::string name = scene.param.name;
  std::erase(name, '-');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Scene, Replay, testing::ValuesIn(corpus::attack_scenes()), name_of);

}  // namespace
}  // namespace sonde::detect
