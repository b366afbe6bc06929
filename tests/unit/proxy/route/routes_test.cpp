// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/route/routes.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace sonde::proxy {
namespace {

using namespace std::chrono_literals;

ProxyConfig config_of(const std::vector<std::vector<std::string>>& routes) {
  ProxyConfig config;
  for (const auto& sni : routes) {
    auto& route = config.routes.emplace_back();
    route.name = "routes[" + std::to_string(config.routes.size() - 1) + "]";
    route.sni = sni;
  }
  return config;
}

// Of the name as a client sends it. -1: not allowed.
int route_of(const Routes& routes, std::string_view name) {
  const auto* const found = routes.find(fold_server_name(name));
  for (std::size_t i = 0; i < routes.all().size(); ++i)
    if (routes.all()[i].get() == found) return static_cast<int>(i);
  return -1;
}

TEST(Routes, ExactBeforeSuffixAndTheLongestSuffix) {
  const Routes routes(config_of({{"*.example"}, {"*.a.example", "b.example"}, {"www.a.example"}, {"*.www.a.example"}}));
  EXPECT_EQ(route_of(routes, "c.example"), 0);
  EXPECT_EQ(route_of(routes, "d.c.example"), 0);
  EXPECT_EQ(route_of(routes, "a.example"), 0);
  EXPECT_EQ(route_of(routes, "b.example"), 1);
  EXPECT_EQ(route_of(routes, "c.b.example"), 0);
  EXPECT_EQ(route_of(routes, "x.a.example"), 1);
  EXPECT_EQ(route_of(routes, "y.x.a.example"), 1);
  EXPECT_EQ(route_of(routes, "www.a.example"), 2);
  EXPECT_EQ(route_of(routes, "z.www.a.example"), 3);
}

TEST(Routes, TheApexAndWhatOnlyEndsAlikeAreNotBelow) {
  const Routes routes(config_of({{"*.a.example"}}));
  EXPECT_EQ(route_of(routes, "a.example"), -1);
  EXPECT_EQ(route_of(routes, "ba.example"), -1);
  EXPECT_EQ(route_of(routes, "example"), -1);
  EXPECT_EQ(route_of(routes, "a.example.org"), -1);
  EXPECT_EQ(route_of(routes, "x.a.example"), 0);
}

TEST(Routes, CaseAndTheLastDotDoNotMatter) {
  const Routes routes(config_of({{"www.example.org"}, {"*.xn--mnchen-3ya.example"}}));
  EXPECT_EQ(route_of(routes, "WWW.Example.ORG."), 0);
  EXPECT_EQ(route_of(routes, "A_b.XN--MNCHEN-3ya.example."), 1);
  EXPECT_EQ(route_of(routes, "www.example.org.."), -1);
  EXPECT_EQ(route_of(routes, ""), -1);
}

// The label list of the name must end with that of the pattern, with something before it.
bool matches(const std::string& pattern, const std::string& name) {
  if (!pattern.starts_with("*.")) return pattern == name;
  const auto suffix = pattern.substr(1);
  return name.size() > suffix.size() && name.ends_with(suffix);
}

TEST(Routes, AgainstAWalkOverThePatterns) {
  std::mt19937 random(4);
  const auto random_name = [&] {
    std::string name;
    for (auto labels = 1 + random() % 4; labels > 0; --labels)
      name += std::string(name.empty() ? "" : ".") + "abc"[random() % 3];
    return name;
  };
  int found = 0;
  for (int round = 0; round < 300; ++round) {
    std::vector<std::vector<std::string>> lists(1 + random() % 4);
    std::vector<std::pair<std::string, int>> all;
    for (auto patterns = random() % 30; patterns > 0; --patterns) {
      const auto pattern = (random() % 2 == 0 ? "*." : "") + random_name();
      const auto list = random() % lists.size();
      if (std::ranges::find(all, pattern, &std::pair<std::string, int>::first) != all.end()) continue;
      all.emplace_back(pattern, static_cast<int>(list));
      lists[list].push_back(pattern);
    }
    const Routes routes(config_of(lists));
    for (int i = 0; i < 100; ++i) {
      const auto name = random_name();
      int expected = -1;
      std::size_t longest = 0;
      for (const auto& [pattern, list] : all) {
        // A name in full says more than any suffix.
        const std::size_t length = pattern.starts_with("*.") ? pattern.size() : 1000;
        if (matches(pattern, name) && length > longest) {
          longest = length;
          expected = list;
        }
      }
      ASSERT_EQ(route_of(routes, name), expected) << name;
      found += expected >= 0;
    }
  }
  EXPECT_GT(found, 3000);
}

ProxyRoute balanced(const std::string& name, std::vector<ProxyUpstream> upstreams,
                    std::chrono::milliseconds interval = 1s) {
  ProxyRoute route;
  route.name = name;
  route.sni = {name + ".example"};
  route.upstreams = std::move(upstreams);
  route.health_check.interval = interval;
  return route;
}

void fail_checks(UpstreamGroup& group, std::size_t index) {
  for (int i = 0; i < 3; ++i) (void)group.checked(index, false);
}

const ProxyUpstream a{"a.example", 1};
const ProxyUpstream b{"b.example", 2};
const ProxyUpstream c{"c.example", 3};

TEST(RoutesReload, TheSameGroupGoesOnWithHealthAndCounts) {
  ProxyConfig config;
  config.routes = {balanced("x", {a, b}), balanced("y", {a, b}), balanced("z", {c})};
  const Routes before(config);
  const auto group = [](const Routes& routes, std::size_t index) { return routes.all()[index]->upstreams; };
  fail_checks(*group(before, 0), 1);
  group(before, 1)->began(0);

  // Another order, another name of a route, names added: groups stay with their routes.
  ProxyConfig next;
  next.routes = {balanced("new", {c}), balanced("y", {a, b}), balanced("x", {a, b}), balanced("w", {})};
  next.routes[1].sni.emplace_back("*.y.example");
  const Routes after(next, &before);
  EXPECT_EQ(group(after, 0), group(before, 2));
  EXPECT_EQ(group(after, 1), group(before, 1));
  EXPECT_EQ(group(after, 2), group(before, 0));
  EXPECT_EQ(group(after, 3), nullptr);
  EXPECT_FALSE(group(after, 2)->up(1));
  EXPECT_EQ(group(after, 1)->connections(0), 1);
}

TEST(RoutesReload, NoGroupServesTwoRoutes) {
  ProxyConfig config;
  config.routes = {balanced("x", {a, b})};
  const Routes before(config);
  config.routes = {balanced("y", {a, b}), balanced("x", {a, b})};
  const Routes after(config, &before);
  EXPECT_EQ(after.all()[1]->upstreams, before.all()[0]->upstreams);
  EXPECT_NE(after.all()[0]->upstreams, after.all()[1]->upstreams);
}

TEST(RoutesReload, UpstreamsThatStayInAnotherGroupKeepTheirs) {
  ProxyConfig config;
  config.routes = {balanced("x", {a, b})};
  const Routes before(config);
  auto& old = *before.all()[0]->upstreams;
  fail_checks(old, 1);
  old.began(1);
  config.routes = {balanced("x", {c, b})};
  const Routes after(config, &before);
  auto& group = *after.all()[0]->upstreams;
  ASSERT_NE(&group, &old);
  EXPECT_TRUE(group.up(0));
  EXPECT_FALSE(group.up(1));
  EXPECT_EQ(group.connections(0), 0);
  EXPECT_EQ(group.connections(1), 1);
  // The connection ends where it began.
  old.ended(1);
  EXPECT_EQ(group.connections(1), 0);
}

TEST(RoutesReload, WhatIsNotCheckedAnyMoreIsUp) {
  ProxyConfig config;
  config.routes = {balanced("x", {a, b})};
  const Routes before(config);
  fail_checks(*before.all()[0]->upstreams, 0);
  config.routes = {balanced("x", {a, b}, 0ms)};
  const Routes after(config, &before);
  EXPECT_TRUE(after.all()[0]->upstreams->up(0));
}

TEST(RoutesReload, AnotherBalanceOrCheckIsANewGroup) {
  ProxyConfig config;
  config.routes = {balanced("x", {a, b})};
  const Routes before(config);
  config.routes[0].balance = ProxyBalance::least_connections;
  EXPECT_NE(Routes(config, &before).all()[0]->upstreams, before.all()[0]->upstreams);
  config.routes[0].balance = ProxyBalance::round_robin;
  config.routes[0].health_check.fall = 7;
  const Routes after(config, &before);
  EXPECT_NE(after.all()[0]->upstreams, before.all()[0]->upstreams);
  EXPECT_EQ(after.all()[0]->upstreams->health_check().fall, 7U);
}

}  // namespace
}  // namespace sonde::proxy
