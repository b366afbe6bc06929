// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "export/events/retransmission.hpp"

namespace sonde::exporter {
namespace {

using Json = nlohmann::json;
using Kind = RetransmissionKind;

Endpoint ipv4(std::uint8_t last, std::uint16_t port) {
  return {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, last}, port};
}

Owner process(const std::string& name, std::uint32_t pid) {
  Owner owner;
  owner.method = OwnerMethod::sk_storage;
  owner.confidence = OwnerConfidence::high;
  owner.reason = SONDE_REASON_NONE;
  owner.evidence = SONDE_OWNER_SENT;
  owner.pid = owner.tid = pid;
  owner.comm = name;
  auto known = std::make_shared<Process>();
  known->pid = pid;
  known->comm = name;
  owner.process = known;
  return owner;
}

Retransmission sample(Kind kind = Kind::rto) {
  Retransmission event;
  event.wall_ns = 1'795'222'801'123'456'789;
  event.kind = kind;
  event.socket = {ipv4(1, 40'000), ipv4(2, 443), 6, 1, 4026531840, 77};
  event.owner.owner = process("curl", 4711);
  event.sequence = 3'054'198'960;
  event.end_sequence = 3'054'200'408;
  event.smoothed_rtt_us = 12'300;
  event.rto_ms = 212;
  event.congestion_window = 10;
  event.bytes_in_flight = 14'480;
  event.socket_total = 3;
  return event;
}

Retransmission lost_here(Kind kind = Kind::fast) {
  auto event = sample(kind);
  event.local_drop = LocalDrop{"QDISC_DROP", "__dev_queue_xmit", 2, "veth0", 4026531840, event.wall_ns - 1'000'000};
  return event;
}

std::string without_time(const std::string& line) { return line.substr(line.find(' ') + 1); }

TEST(RetransmissionLine, TheImportantPartFirst) {
  EXPECT_EQ(
      without_time(retransmission_line(sample(), false)),
      "RTO      curl[4711] 10.0.0.1:40000 > 10.0.0.2:443: lost on the wire, #3, rtt 12.3 ms, rto 212 ms, cwnd 10, "
      "flight 14.5 kB, seq 3054198960:3054200408");
}

TEST(RetransmissionLine, LostHere) {
  const auto line = retransmission_line(lost_here(), false);
  EXPECT_EQ(
      without_time(line),
      "fast     curl[4711] 10.0.0.1:40000 > 10.0.0.2:443: lost here: QDISC_DROP in veth0, #3, rtt 12.3 ms, cwnd 10, "
      "flight 14.5 kB, seq 3054198960:3054200408");
  EXPECT_LE(line.size(), 175U);
}

TEST(RetransmissionLine, WithoutAReasonTheFunction) {
  auto event = lost_here();
  event.local_drop->reason = "NOT_SPECIFIED";
  event.local_drop->interface.clear();
  EXPECT_THAT(retransmission_line(event, false),
              testing::HasSubstr(": lost here: NOT_SPECIFIED (__dev_queue_xmit), #3"));
}

TEST(RetransmissionLine, TheOtherKinds) {
  auto syn = sample(Kind::syn);
  syn.socket.state = 2;
  syn.segments = 1;
  EXPECT_THAT(retransmission_line(syn, false), testing::HasSubstr("SYN      curl[4711] 10.0.0.1:40000 > 10.0.0.2:443: "
                                                                  "not answered, SYN-SENT, #3"));
  auto needless = sample(Kind::spurious);
  needless.spurious = 2;
  needless.segments = 0;
  needless.spurious_evidence = "D-SACK";
  EXPECT_THAT(retransmission_line(needless, false), testing::HasSubstr(": 2 needless: D-SACK, #3"));
  EXPECT_THAT(retransmission_line(needless, false), testing::Not(testing::HasSubstr("seq")));
  auto untold = sample(Kind::untold);
  untold.segments = 0;
  untold.unreported = 4;
  EXPECT_THAT(retransmission_line(untold, false), testing::HasSubstr(": 4 untold before"));
  auto refused = sample(Kind::rto);
  refused.error = -1;
  EXPECT_THAT(retransmission_line(refused, false), testing::HasSubstr(": not sent: queue full,"));
  refused.error = 1;
  EXPECT_THAT(retransmission_line(refused, false), testing::HasSubstr(": not sent: EPERM,"));
  auto several = sample(Kind::loss);
  several.segments = 4;
  several.unreported = 2;
  EXPECT_THAT(retransmission_line(several, false), testing::EndsWith(", 4 segments, 2 more untold before"));
}

TEST(RetransmissionLine, ColoursAreAddedAndNothingElse) {
  auto line = retransmission_line(lost_here(Kind::rto), true);
  EXPECT_NE(line.find("\033["), std::string::npos);
  for (auto at = line.find('\033'); at != std::string::npos; at = line.find('\033'))
    line.erase(at, line.find('m', at) - at + 1);
  EXPECT_EQ(line, retransmission_line(lost_here(Kind::rto), false));
}

TEST(RetransmissionJson, Members) {
  const auto object = Json::parse(retransmission_json(lost_here()));
  EXPECT_EQ(object["type"], "retransmission");
  EXPECT_EQ(object["time"], "2026-11-21T01:00:01.123456789Z");
  EXPECT_EQ(object["kind"], "fast");
  EXPECT_EQ(object["cause"], "lost here: QDISC_DROP in veth0");
  EXPECT_EQ(object["local"], "10.0.0.1");
  EXPECT_EQ(object["remote_port"], 443);
  EXPECT_EQ(object["state"], "ESTABLISHED");
  EXPECT_EQ(object["segments"], 1);
  EXPECT_EQ(object["sequence"], 3'054'198'960U);
  EXPECT_EQ(object["end_sequence"], 3'054'200'408U);
  EXPECT_EQ(object["socket_total"], 3);
  EXPECT_EQ(object["smoothed_rtt_us"], 12'300);
  EXPECT_EQ(object["rto_ms"], 212);
  EXPECT_EQ(object["congestion_window"], 10);
  EXPECT_EQ(object["bytes_in_flight"], 14'480);
  EXPECT_EQ(object["local_drop"]["reason"], "QDISC_DROP");
  EXPECT_EQ(object["local_drop"]["function"], "__dev_queue_xmit");
  EXPECT_EQ(object["local_drop"]["interface"], "veth0");
  EXPECT_EQ(object["local_drop"]["time"], "2026-11-21T01:00:01.122456789Z");
  EXPECT_EQ(object["owner"]["pid"], 4711);
  EXPECT_FALSE(object.contains("error"));
  EXPECT_FALSE(object.contains("spurious"));
  EXPECT_FALSE(object.contains("unreported"));
}

TEST(RetransmissionJson, WhatWasNeedless) {
  auto event = sample(Kind::spurious);
  event.segments = 0;
  event.spurious = 2;
  event.spurious_evidence = "F-RTO or timestamps";
  const auto object = Json::parse(retransmission_json(event));
  EXPECT_EQ(object["kind"], "spurious");
  EXPECT_EQ(object["segments"], 0);
  EXPECT_EQ(object["spurious"], 2);
  EXPECT_EQ(object["evidence"], "F-RTO or timestamps");
  EXPECT_FALSE(object.contains("sequence"));
}

std::string summary_of(const std::vector<Retransmission>& events, bool json) {
  Fd file(::memfd_create("summary", MFD_CLOEXEC));
  const auto sink = make_retransmission_summary({Fd(::dup(file.get())), "summary"}, json);
  EXPECT_TRUE(sink->write(events));
  EXPECT_TRUE(sink->finish({}));
  EXPECT_EQ(sink->written(), events.size());
  std::string text(static_cast<std::size_t>(::lseek(file.get(), 0, SEEK_END)), '\0');
  EXPECT_EQ(::pread(file.get(), text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
  return text;
}

std::vector<Retransmission> several() {
  auto many = sample(Kind::loss);
  many.segments = 5;
  auto of_nginx = lost_here();
  of_nginx.owner.owner = process("nginx", 9);
  of_nginx.socket.remote = ipv4(3, 80);
  of_nginx.unreported = 2;
  auto needless = sample(Kind::spurious);
  needless.segments = 0;
  needless.spurious = 2;
  needless.spurious_evidence = "D-SACK";
  return {sample(), many, of_nginx, needless};
}

TEST(RetransmissionSummary, Tables) {
  const auto text = summary_of(several(), false);
  EXPECT_THAT(text, testing::ContainsRegex("process +segments +RTO +loss +fast +TLP +SYN +other +lost here +spurious\n"
                                           "curl.4711. +6 +1 +5 +0 +0 +0 +0 +0 +2\n"
                                           "nginx.9. +3 +0 +0 +1 +0 +0 +2 +1 +0\n"));
  EXPECT_THAT(text, testing::ContainsRegex("\n10.0.0.2 +6 "));
  EXPECT_THAT(text, testing::ContainsRegex("\nlost on the wire +6 "));
  EXPECT_THAT(text, testing::ContainsRegex("\nlost here: QDISC_DROP in veth0 +3 "));
  EXPECT_THAT(text, testing::ContainsRegex("\nneedless: D-SACK +0 "));
}

TEST(RetransmissionSummary, JsonIsOneObject) {
  const auto text = summary_of(several(), true);
  EXPECT_EQ(std::ranges::count(text, '\n'), 1);
  const auto object = Json::parse(text);
  EXPECT_EQ(object["type"], "summary");
  EXPECT_EQ(object["segments"], 9);
  EXPECT_EQ(object["processes"][0]["process"], "curl[4711]");
  EXPECT_EQ(object["processes"][0]["segments"], 6);
  EXPECT_EQ(object["processes"][0]["kinds"]["loss"], 5);
  EXPECT_EQ(object["processes"][1]["kinds"]["untold"], 2);
  EXPECT_EQ(object["peers"].size(), 2U);
  EXPECT_EQ(object["causes"].size(), 3U);
}

}  // namespace
}  // namespace sonde::exporter
