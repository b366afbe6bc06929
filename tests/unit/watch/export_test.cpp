// SPDX-License-Identifier: Apache-2.0
// Security events as text and as JSON, and their evidence.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>
#include <nlohmann/json.hpp>

#include "export/security/security.hpp"
#include "fake_packets.hpp"
#include "watch/evidence.hpp"

namespace sonde::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Endpoint endpoint(std::uint8_t last, std::uint16_t port) {
  return {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, last}, port};
}

SecurityEvent scan() {
  SecurityEvent event;
  event.id = 3;
  event.kind = SecurityKind::port_scan;
  event.severity = Severity::medium;
  event.state = SecurityState::started;
  event.first_wall_ns = start_ns;
  event.last_wall_ns = start_ns + 3100 * millisecond;
  event.wall_ns = start_ns + 3500 * millisecond;
  event.method = "SYN";
  event.who = {"192.0.2.9"};
  event.sources = 1;
  event.whom = {"192.0.2.1"};
  event.targets = 1;
  event.interface = "eth0";
  event.summary = "SYN scan of 1000 ports of 192.0.2.1 in 3.1 s";
  event.evidence = {{"ports", "1000"}, {"probes_per_second", "322.5"}, {"name", "a\x1b[2Jb"}};
  event.flows = {{start_ns, 6, endpoint(9, 40'000), endpoint(1, 22), 2, 114}};
  event.response = "sonde guard block 192.0.2.9 --ttl 10m";
  event.block = "192.0.2.9";
  return event;
}

class SecurityText : public testing::Test {
 protected:
  SecurityText() {
    ::setenv("TZ", "UTC", 1);
    ::tzset();
  }
};

TEST_F(SecurityText, ABlockForWhatStarts) {
  EXPECT_EQ(exporter::security_text(scan(), false),
            "2026-01-01 00:00:03.500  MEDIUM  port-scan #3 started: SYN scan of 1000 ports of 192.0.2.1 in 3.1 s\n"
            "  who       192.0.2.9\n"
            "  whom      192.0.2.1\n"
            "  interface eth0\n"
            "  evidence  ports 1000, probes per second 322.5, name a\\027[2Jb\n"
            "  flows     00:00:00.000 TCP 192.0.2.9:40000 > 192.0.2.1:22, 2 packets, 114 bytes\n"
            "  stop it   sonde guard block 192.0.2.9 --ttl 10m\n");
}

TEST_F(SecurityText, ALineForWhatGoesOnAndEnds) {
  auto event = scan();
  event.state = SecurityState::updated;
  EXPECT_EQ(exporter::security_text(event, false),
            "2026-01-01 00:00:03.500  MEDIUM  port-scan #3 goes on: SYN scan of 1000 ports of 192.0.2.1 in 3.1 s");
  event.state = SecurityState::ended;
  EXPECT_THAT(exporter::security_text(event, false), HasSubstr("port-scan #3 ended after 3.1 s: SYN scan"));
}

TEST_F(SecurityText, CountsThatCameLaterAreShownLater) {
  auto event = scan();
  event.state = SecurityState::ended;
  event.evidence.emplace_back("packets_dropped_by_rule", "180");
  event.evidence.emplace_back("packets_in_evidence_file", "0");
  const auto text = exporter::security_text(event, false);
  EXPECT_TRUE(
      text.ends_with("in 3.1 s\n"
                     "  counted   packets dropped by rule 180\n"
                     "  counted   packets in evidence file 0"))
      << text;
}

TEST_F(SecurityText, FlowsWithoutPortsShowNone) {
  auto event = scan();
  event.flows = {{start_ns, 1, endpoint(9, 0), endpoint(1, 0), 2000, 84'000}};
  EXPECT_THAT(exporter::security_text(event, false),
              HasSubstr("00:00:00.000 ICMP 192.0.2.9 > 192.0.2.1, 2000 packets, 84000 bytes\n"));
}

TEST_F(SecurityText, WhatWasDoneStandsInPlaceOfWhatToDo) {
  auto event = scan();
  event.action = "blocked 192.0.2.9 by rule 7 for 600 s";
  event.undo = "sonde guard remove 7";
  const auto text = exporter::security_text(event, false);
  EXPECT_THAT(text, HasSubstr("\n  done      blocked 192.0.2.9 by rule 7 for 600 s; undo: sonde guard remove 7\n"));
  EXPECT_THAT(text, testing::Not(HasSubstr("stop it")));
}

TEST_F(SecurityText, ManySourcesAreCounted) {
  auto event = scan();
  event.who = {"192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5", "192.0.2.6"};
  event.sources = 4711;
  EXPECT_THAT(exporter::security_text(event, false), HasSubstr("192.0.2.5 ... 4711 sources\n"));
}

TEST_F(SecurityText, ColourIsOnlyForTheEye) {
  const auto text = exporter::security_text(scan(), true);
  EXPECT_THAT(text, HasSubstr("\033[33mMEDIUM\033[0m"));
}

TEST(SecurityJson, HasTheMembersThatTheManualNames) {
  const auto text = exporter::security_json(scan());
  const auto json = nlohmann::ordered_json::parse(text);
  EXPECT_TRUE(text.starts_with(
      R"({"type":"security","time":"2026-01-01T00:00:03.500000000Z","id":3,"kind":"port-scan","severity":"medium",)"
      R"("state":"started","first_time":"2026-01-01T00:00:00.000000000Z","last_time":"2026-01-01T00:00:03.100000000Z",)"
      R"("method":"SYN","outbound":false,"who":["192.0.2.9"],"sources":1,"whom":["192.0.2.1"],"targets":1,)"))
      << text;
  EXPECT_EQ(json["evidence"]["ports"], 1000);
  EXPECT_EQ(json["evidence"]["probes_per_second"], 322.5);
  EXPECT_EQ(json["evidence"]["name"], "a\x1b[2Jb");
  EXPECT_EQ(json["flows"][0]["destination_port"], 22);
  EXPECT_FALSE(json.contains("action"));
  EXPECT_FALSE(json.contains("owner"));
}

TEST(SecurityJson, NumbersAreNumbers) {
  for (const auto* number : {"0", "1000", "-1", "0.5", "322.25"})
    EXPECT_TRUE(exporter::is_json_number(number)) << number;
  for (const auto* text : {"", "-", "01", "1.", ".5", "1e9", "1 s", "0x10", "1.2.3", "99999999999999999999"})
    EXPECT_FALSE(exporter::is_json_number(text)) << text;
}

TEST(Evidence, IsOfTheSourcesWhereTheyAreAllNamedElseOfTheTargets) {
  auto event = scan();
  EXPECT_THAT(watch::evidence_packets(event).filter().networks, ElementsAre("192.0.2.9"));
  event.sources = 500;
  event.whom = {"192.0.2.1:443", "[2001:db8::1]:443"};
  EXPECT_THAT(watch::evidence_packets(event).filter().networks, ElementsAre("192.0.2.1", "2001:db8::1"));
  event.who = {"02:00:00:00:00:01"};
  event.whom = {"nothing"};
  EXPECT_TRUE(watch::evidence_packets(event).none());
  event.kind = SecurityKind::arp_spoof;
  EXPECT_EQ(watch::evidence_packets(event).filter().expression, "arp");
  EXPECT_EQ(watch::evidence_name(scan()), "20260101T000000Z-port-scan-3.pcapng");
}

}  // namespace
}  // namespace sonde::test
