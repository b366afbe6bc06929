// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/route/upstreams.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <thread>

namespace sonde::proxy {
namespace {

using Order = std::vector<std::size_t>;

std::vector<ProxyUpstream> upstreams(std::size_t count) {
  std::vector<ProxyUpstream> result;
  for (std::size_t i = 0; i < count; ++i) result.push_back({"host" + std::to_string(i), 443});
  return result;
}

constexpr ProxyHealthCheck check{.interval = std::chrono::seconds(1), .rise = 2, .fall = 3};

void take_down(UpstreamGroup& group, std::size_t index) {
  for (std::uint32_t i = 0; i < check.fall; ++i) (void)group.checked(index, false);
}

TEST(Upstreams, TakeTurns) {
  UpstreamGroup group(upstreams(3), ProxyBalance::round_robin, {});
  EXPECT_EQ(group.order(), (Order{0, 1, 2}));
  EXPECT_EQ(group.order(), (Order{1, 2, 0}));
  EXPECT_EQ(group.order(), (Order{2, 0, 1}));
  EXPECT_EQ(group.order(), (Order{0, 1, 2}));
}

TEST(Upstreams, TurnsAreSharedEvenlyWhenOneIsDown) {
  UpstreamGroup group(upstreams(3), ProxyBalance::round_robin, check);
  take_down(group, 1);
  std::map<std::size_t, int> first;
  for (int i = 0; i < 100; ++i) {
    const auto order = group.order();
    ASSERT_EQ(order.size(), 2U);
    ++first[order[0]];
    EXPECT_EQ(group.order(true).back(), 1U);
    (void)group.order();
  }
  EXPECT_EQ(first[1], 0);
  EXPECT_NEAR(first[0], 50, 1);
}

TEST(Upstreams, NobodyIsLeftWhenAllAreDown) {
  UpstreamGroup group(upstreams(2), ProxyBalance::least_connections, check);
  take_down(group, 0);
  take_down(group, 1);
  EXPECT_TRUE(group.order().empty());
  EXPECT_EQ(group.order(true), (Order{0, 1}));
}

TEST(Upstreams, TheLeastBusyComesFirstAndEqualsTakeTurns) {
  UpstreamGroup group(upstreams(3), ProxyBalance::least_connections, {});
  group.began(0);
  group.began(0);
  group.began(1);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(group.order(), (Order{2, 1, 0}));
  group.began(2);
  std::map<std::size_t, int> first;
  for (int i = 0; i < 30; ++i) ++first[group.order()[0]];
  EXPECT_EQ(first[0], 0);
  EXPECT_GT(first[1], 5);
  EXPECT_GT(first[2], 5);
  group.ended(0);
  group.ended(0);
  EXPECT_EQ(group.order()[0], 0U);
}

// The counts never differ by more than one when all connections last.
TEST(Upstreams, LeastConnectionsEvensOut) {
  UpstreamGroup group(upstreams(4), ProxyBalance::least_connections, {});
  std::mt19937 random(5);
  for (int i = 0; i < 40; ++i) group.began(random() % 2);
  for (int i = 0; i < 1000; ++i) group.began(group.order()[0]);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(group.connections(i), 260);
}

TEST(Upstreams, FallAndRiseTakeChecksInARow) {
  UpstreamGroup group(upstreams(1), ProxyBalance::round_robin, check);
  EXPECT_FALSE(group.checked(0, false));
  EXPECT_FALSE(group.checked(0, false));
  EXPECT_FALSE(group.checked(0, true));  // counts anew
  EXPECT_FALSE(group.checked(0, false));
  EXPECT_FALSE(group.checked(0, false));
  EXPECT_TRUE(group.up(0));
  EXPECT_TRUE(group.checked(0, false));
  EXPECT_FALSE(group.up(0));
  EXPECT_FALSE(group.checked(0, false));
  EXPECT_FALSE(group.checked(0, true));
  EXPECT_FALSE(group.checked(0, false));
  EXPECT_FALSE(group.checked(0, true));
  EXPECT_TRUE(group.checked(0, true));
  EXPECT_TRUE(group.up(0));
}

// A plain model: who is up, and a number of checks in a row that say otherwise.
TEST(Upstreams, HealthAgainstAModel) {
  std::mt19937 random(6);
  UpstreamGroup group(upstreams(3), ProxyBalance::round_robin, check);
  bool up[3] = {true, true, true};
  std::uint32_t against[3] = {};
  int changes = 0;
  for (int i = 0; i < 20'000; ++i) {
    const auto index = random() % 3;
    const bool alive = random() % 2 == 0;
    against[index] = alive == up[index] ? 0 : against[index] + 1;
    const bool changed = against[index] == (alive ? check.rise : check.fall);
    if (changed) {
      up[index] = alive;
      against[index] = 0;
    }
    ASSERT_EQ(group.checked(index, alive), changed);
    ASSERT_EQ(group.up(index), up[index]);
    changes += changed;
    auto order = group.order();
    std::ranges::sort(order);
    Order expected;
    for (std::size_t j = 0; j < 3; ++j)
      if (up[j]) expected.push_back(j);
    ASSERT_EQ(order, expected);
  }
  EXPECT_GT(changes, 1000);
}

TEST(Upstreams, ManyThreads) {
  UpstreamGroup group(upstreams(5), ProxyBalance::least_connections, check);
  std::vector<std::thread> threads;
  for (unsigned seed = 0; seed < 4; ++seed)
    threads.emplace_back([&group, seed] {
      std::mt19937 random(seed);
      for (int i = 0; i < 20'000; ++i) {
        const auto order = group.order(true);
        ASSERT_EQ(order.size(), 5U);
        group.began(order[0]);
        (void)group.checked(random() % 5, random() % 2 == 0);
        group.ended(order[0]);
      }
    });
  for (auto& thread : threads) thread.join();
  for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ(group.connections(i), 0);
}

TEST(Upstreams, Text) {
  EXPECT_EQ((ProxyUpstream{"a.example", 443}).text(), "a.example:443");
  EXPECT_EQ((ProxyUpstream{"2001:db8::1", 8443}).text(), "[2001:db8::1]:8443");
}

}  // namespace
}  // namespace sonde::proxy
