// SPDX-License-Identifier: Apache-2.0
// Security events of NetworkMonitor, through the public API alone.
#include "sonde/monitor.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <mutex>
#include <optional>
#include <thread>

#include "harness/traffic.hpp"

namespace sonde::test {
namespace {

class SecurityMonitor : public testing::Test {
 protected:
  // Opens, starts and looks in the namespace of the victim.
  void start(const std::string& key, const std::string& value) {
    pair.right.call([&] {
      auto made = NetworkMonitor::make();
      ASSERT_TRUE(made) << made.error().text();
      monitor.emplace(std::move(*made));
      ASSERT_TRUE(monitor->attach("veth1"));
      ASSERT_TRUE(monitor->set_security_config(key, value));
      ASSERT_TRUE(monitor->on_security_event([this](const SecurityEvent& event) {
        const std::lock_guard lock(mutex);
        events.push_back(event);
      }));
      const auto started = monitor->start();
      ASSERT_TRUE(started) << started.error().text();
    });
  }
  void scan_and_close() {
    pair.left.run("nmap -n -Pn --disable-arp-ping -sS -T4 -p 1-100 10.9.0.2");
    std::this_thread::sleep_for(std::chrono::seconds{2});
    monitor->close();
  }

  const Pair pair;
  std::optional<NetworkMonitor> monitor;
  std::mutex mutex;
  std::vector<SecurityEvent> events;
};

TEST_F(SecurityMonitor, HandsOverWhatHappens) {
  start("scan.ports", "20");
  scan_and_close();
  ASSERT_GE(events.size(), 2U);
  EXPECT_EQ(events.front().kind, SecurityKind::port_scan);
  EXPECT_EQ(events.front().state, SecurityState::started);
  EXPECT_THAT(events.front().who, testing::ElementsAre("10.9.0.1"));
  EXPECT_EQ(events.back().state, SecurityState::ended);
  EXPECT_TRUE(monitor->security_loss().balanced());
  EXPECT_GE(monitor->security_loss().stages.back().given, 200U);
  EXPECT_EQ(monitor->security_loss().lost(), 0U);
}

TEST_F(SecurityMonitor, TakesThresholds) {
  start("scan.enabled", "off");
  ASSERT_FALSE(monitor->set_security_config("scan.ports", "5")) << "after start()";
  scan_and_close();
  EXPECT_TRUE(events.empty());
}

TEST_F(SecurityMonitor, NamesWrongWords) {
  pair.right.call([&] {
    auto made = NetworkMonitor::make();
    ASSERT_TRUE(made) << made.error().text();
    monitor.emplace(std::move(*made));
  });
  const auto key = monitor->set_security_config("scan.nosuch", "1");
  ASSERT_FALSE(key);
  EXPECT_EQ(key.error().kind, ErrorKind::usage);
  EXPECT_THAT(key.error().text(), testing::HasSubstr("scan.nosuch"));
  const auto value = monitor->set_security_config("scan.ports", "many");
  ASSERT_FALSE(value);
  EXPECT_THAT(value.error().text(), testing::HasSubstr("many"));
  ASSERT_TRUE(monitor->on_security_event([](const SecurityEvent&) {}));
  const auto started = monitor->start();
  ASSERT_FALSE(started);
  EXPECT_THAT(started.error().text(), testing::HasSubstr("attach()"));
}

}  // namespace
}  // namespace sonde::test
