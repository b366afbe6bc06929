// SPDX-License-Identifier: Apache-2.0
// Answers to attacks, with a guard that is a table of the test.
#include "watch/responder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fake_packets.hpp"

namespace sonde::test {
namespace {

using testing::HasSubstr;
using watch::LocalAddresses;
using watch::Responder;

struct FakeGuard {
  std::vector<GuardRule> rules;
  std::map<std::uint64_t, GuardCount> hits;
  std::optional<Error> error;

  watch::GuardCalls calls() {
    return {.add = [this](const GuardRule& rule) -> Result<std::uint64_t> {
              if (error) return std::unexpected(*error);
              rules.push_back(rule);
              hits[rules.size()] = {};
              return rules.size();
            },
            .hits = [this]() -> Result<std::map<std::uint64_t, GuardCount>> { return hits; }};
  }
};

SecurityEvent scan(SecurityState state, std::int64_t at_seconds) {
  SecurityEvent event;
  event.id = 7;
  event.kind = SecurityKind::port_scan;
  event.state = state;
  event.wall_ns = start_ns + at_seconds * second;
  event.first_wall_ns = start_ns;
  event.last_wall_ns = event.wall_ns;
  event.who = {"192.0.2.9"};
  event.response = "sonde guard block 192.0.2.9 --ttl 10m";
  event.block = "192.0.2.9";
  return event;
}

class Responding : public testing::Test {
 protected:
  Responder make(bool dry_run = false) {
    return {guard.calls(), {.ttl = std::chrono::minutes(3), .dry_run = dry_run}, local};
  }
  detect::Report show = [this](SecurityEvent event) { shown.push_back(std::move(event)); };

  FakeGuard guard;
  LocalAddresses local = *LocalAddresses::make({"198.51.100.0/24"}, false);
  std::vector<SecurityEvent> shown;
};

TEST_F(Responding, DoesWhatTheEventSaysOnceWithItsOwnTtl) {
  auto responder = make();
  responder.take(scan(SecurityState::started, 0), show);
  responder.take(scan(SecurityState::updated, 1), show);
  ASSERT_EQ(guard.rules.size(), 1U);
  EXPECT_EQ(guard.rules[0].verdict, GuardVerdict::block);
  EXPECT_EQ(guard.rules[0].network.length, 128);
  EXPECT_EQ(guard.rules[0].direction, GuardDirection::in);
  EXPECT_EQ(guard.rules[0].expires_wall_ns, start_ns + 180 * second);
  EXPECT_FALSE(guard.rules[0].dry_run);
  EXPECT_EQ(guard.rules[0].comment, "sonde watch: port-scan #7");
  EXPECT_EQ(responder.blocked(), 1U);
  ASSERT_EQ(shown.size(), 2U);
  EXPECT_EQ(shown[0].action, "blocked 192.0.2.9 by rule 1 for 180 s");
  EXPECT_EQ(shown[0].undo, "sonde guard remove 1");
}

TEST_F(Responding, TakesDirectionAndPortsOfTheAnswer) {
  auto responder = make();
  auto event = scan(SecurityState::started, 0);
  event.response = "sonde guard block 192.0.2.9 --direction out --protocol tcp --dst-port 22 --ttl 10m";
  responder.take(event, show);
  ASSERT_EQ(guard.rules.size(), 1U);
  EXPECT_EQ(guard.rules[0].direction, GuardDirection::out);
  EXPECT_EQ(guard.rules[0].destination_ports.first, 22);
}

TEST_F(Responding, NeverBlocksItsOwnAddresses) {
  auto responder = make();
  auto event = scan(SecurityState::started, 0);
  event.response = "sonde guard block 198.51.100.7 --ttl 10m";
  event.block = "198.51.100.7";
  responder.take(event, show);
  EXPECT_TRUE(guard.rules.empty());
  ASSERT_EQ(shown.size(), 1U);
  EXPECT_EQ(shown[0].action, "not blocked: 198.51.100.7 is an address of this host");
  EXPECT_EQ(shown[0].undo, "");
}

TEST_F(Responding, TellsWhyNothingWasDone) {
  auto responder = make();
  auto other_command = scan(SecurityState::started, 0);
  other_command.response = "sysctl -w net.ipv4.tcp_syncookies=1";
  responder.take(other_command, show);
  guard.error = Error{ErrorKind::failed, 0, "no guard", "attach it"};
  auto other = scan(SecurityState::started, 0);
  other.id = 8;
  responder.take(other, show);
  auto forged = scan(SecurityState::started, 0);
  forged.block.clear();
  responder.take(forged, show);
  ASSERT_EQ(shown.size(), 3U);
  EXPECT_THAT(shown[0].action, HasSubstr("not blocked: no rule"));
  EXPECT_THAT(shown[1].action, HasSubstr("not blocked: no guard (attach it)"));
  EXPECT_EQ(shown[2].action, "");
  EXPECT_EQ(responder.blocked(), 0U);
}

// The detectors do not see what is dropped: for them the attack ends when it is blocked.
TEST_F(Responding, ABlockedAttackGoesOnAsLongAsItsRuleDrops) {
  auto responder = make();
  responder.take(scan(SecurityState::started, 0), show);
  responder.take(scan(SecurityState::ended, 10), show);
  EXPECT_EQ(shown.size(), 1U);
  for (int at = 10; at < 100; at += 1) {
    guard.hits[1].packets += 50;
    responder.advance(start_ns + at * second, show);
  }
  ASSERT_EQ(shown.size(), 2U);  // a minute after what was shown last
  EXPECT_EQ(shown[1].state, SecurityState::updated);
  EXPECT_THAT(shown[1].action, HasSubstr("rule 1 goes on dropping it"));
  for (int at = 100; at < 140; at += 1) responder.advance(start_ns + at * second, show);
  ASSERT_EQ(shown.size(), 4U);
  EXPECT_EQ(shown[2].state, SecurityState::updated);
  EXPECT_EQ(shown[3].state, SecurityState::ended);
  EXPECT_GE(shown[3].wall_ns, start_ns + 125 * second);
  EXPECT_GE(shown[3].last_wall_ns, start_ns + 95 * second);
  EXPECT_EQ(shown[3].evidence.back(), (std::pair<std::string, std::string>{"packets_dropped_by_rule", "4500"}));
  responder.finish(start_ns + 200 * second, show);
  EXPECT_EQ(shown.size(), 4U);
}

TEST_F(Responding, ARuleThatIsGoneHoldsNothingBack) {
  auto responder = make();
  responder.take(scan(SecurityState::started, 0), show);
  responder.take(scan(SecurityState::ended, 10), show);
  guard.hits.clear();
  responder.advance(start_ns + 16 * second, show);
  ASSERT_EQ(shown.size(), 2U);
  EXPECT_EQ(shown[1].state, SecurityState::ended);
}

TEST_F(Responding, TheEndOfTheWatchShowsWhatWasHeldBack) {
  auto responder = make();
  responder.take(scan(SecurityState::started, 0), show);
  responder.take(scan(SecurityState::ended, 10), show);
  guard.hits[1].packets = 3;
  responder.finish(start_ns + 12 * second, show);
  ASSERT_EQ(shown.size(), 2U);
  EXPECT_EQ(shown[1].state, SecurityState::ended);
  EXPECT_EQ(shown[1].action, "rule 1 stays until it expires");
}

// A rule that only counts hides nothing: what the detectors say holds.
TEST_F(Responding, DryRunOnlyCounts) {
  auto responder = make(true);
  responder.take(scan(SecurityState::started, 0), show);
  guard.hits[1].packets = 99;
  responder.take(scan(SecurityState::ended, 10), show);
  ASSERT_EQ(guard.rules.size(), 1U);
  EXPECT_TRUE(guard.rules[0].dry_run);
  ASSERT_EQ(shown.size(), 2U);
  EXPECT_EQ(shown[0].action, "counting 192.0.2.9 by rule 1 for 180 s");
  EXPECT_EQ(shown[1].state, SecurityState::ended);
  EXPECT_EQ(shown[1].evidence.back().second, "99");
}

}  // namespace
}  // namespace sonde::test
