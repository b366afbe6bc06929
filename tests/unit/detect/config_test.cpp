// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "sonde/security.hpp"

namespace sonde {
namespace {

TEST(SecurityConfig, StartsWithDefaultsThatAreAccepted) {
  SecurityConfig config;
  for (const auto& option : security_options()) {
    EXPECT_EQ(config.get(option.key), option.value) << option.key;
    const std::string_view unit = option.unit;
    const std::string word = unit == "on/off" ? (option.value != 0 ? "on" : "off") : std::to_string(option.value);
    const auto set = config.set(option.key, word);
    EXPECT_TRUE(set.has_value()) << option.key << ": " << (set ? "" : set.error().text());
    EXPECT_LE(option.least, option.value) << option.key;
    EXPECT_GE(option.most, option.value) << option.key;
  }
}

TEST(SecurityConfig, KeysAreUniqueAndDescribed) {
  std::set<std::string> keys;
  for (const auto& option : security_options()) {
    EXPECT_TRUE(keys.insert(option.key).second) << option.key;
    EXPECT_NE(std::string(option.key).find('.'), std::string::npos);
    EXPECT_FALSE(std::string(option.description).empty()) << option.key;
    if (std::string(option.unit) != "on/off") {
      EXPECT_FALSE(std::string(option.reason).empty()) << option.key;
    }
  }
}

TEST(SecurityConfig, TakesTimesAndSwitches) {
  SecurityConfig config;
  ASSERT_TRUE(config.set("scan.window", "5m"));
  EXPECT_EQ(config.get("scan.window"), 300);
  ASSERT_TRUE(config.set("scan.window", "90s"));
  EXPECT_EQ(config.get("scan.window"), 90);
  ASSERT_TRUE(config.set("scan.answer_wait", "500ms"));
  EXPECT_EQ(config.get("scan.answer_wait"), 0.5);
  ASSERT_TRUE(config.set("scan.enabled", "off"));
  EXPECT_EQ(config.get("scan.enabled"), 0);
}

TEST(SecurityConfig, RefusesAndNamesTheWord) {
  SecurityConfig config;
  const auto refused = [&](const char* key, const char* value) {
    const auto set = config.set(key, value);
    EXPECT_FALSE(set) << key << "=" << value;
    if (set) return std::string();
    EXPECT_EQ(set.error().kind, ErrorKind::usage);
    return set.error().text();
  };
  EXPECT_NE(refused("scan.port", "5").find("scan.ports"), std::string::npos);
  EXPECT_NE(refused("nonsense", "5").find("nonsense"), std::string::npos);
  EXPECT_NE(refused("scan.ports", "many").find("many"), std::string::npos);
  for (const auto* value : {"", "4", "1e9", "15x", "-15", "nan", "inf", "15 ", "5m"}) refused("scan.ports", value);
  for (const auto* value : {"", "2", "0.5", "yes"}) refused("scan.enabled", value);
  for (const auto* value : {"", "5w", "s", "100d"}) refused("scan.window", value);
  EXPECT_EQ(config.get("scan.ports"), 15);
}

TEST(SecurityNames, HaveAll) {
  EXPECT_STREQ(security_kind_name(SecurityKind::port_scan), "port-scan");
  EXPECT_STREQ(security_kind_name(SecurityKind::dns_tunnel), "dns-tunnel");
  EXPECT_STREQ(severity_name(Severity::high), "high");
  EXPECT_STREQ(security_state_name(SecurityState::ended), "ended");
}

}  // namespace
}  // namespace sonde
