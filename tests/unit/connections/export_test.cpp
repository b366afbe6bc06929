// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "export/events/connection.hpp"
#include "harness/command.hpp"
#include "harness/process.hpp"

namespace sonde::exporter {
namespace {

using std::chrono::microseconds;
using testing::HasSubstr;
using testing::StartsWith;

Endpoint ipv4(std::uint8_t last, std::uint16_t port) {
  return {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, last}, port};
}

SocketOwner curl() {
  SocketOwner owner;
  auto process = std::make_shared<Process>();
  process->pid = 4711;
  process->comm = "curl";
  owner.owner = {.method = OwnerMethod::sk_storage,
                 .confidence = OwnerConfidence::high,
                 .reason = SONDE_REASON_NONE,
                 .evidence = SONDE_OWNER_SENT,
                 .pid = 4711,
                 .tid = 4711,
                 .uid = 0,
                 .comm = "curl",
                 .process = process};
  return owner;
}

Connection sample(ConnectionEvent event) {
  Connection connection;
  connection.wall_ns = 1'000'000'000'123'456'789;  // 2001-09-09T01:46:40Z
  connection.event = event;
  connection.direction = ConnectionDirection::outbound;
  connection.socket.local = ipv4(1, 40'000);
  connection.socket.remote = ipv4(2, 443);
  connection.socket.protocol = IPPROTO_TCP;
  connection.socket.state = TCP_ESTABLISHED;
  connection.socket.network_namespace = 4026531840;
  connection.owner = curl();
  connection.connect_latency = microseconds(312);
  connection.segments_sent = 5;
  connection.smoothed_rtt_us = 250;
  return connection;
}

Connection closed(ConnectionEnd end) {
  auto connection = sample(ConnectionEvent::closed);
  connection.end = end;
  connection.duration = microseconds(1'234'000);
  connection.bytes_sent = 120;
  connection.bytes_received = 3456;
  connection.retransmissions = 2;
  return connection;
}

Connection refused() {
  auto connection = sample(ConnectionEvent::failed);
  connection.end = ConnectionEnd::refused;
  connection.error = ECONNREFUSED;
  connection.duration = microseconds(90);
  connection.connect_latency.reset();
  connection.smoothed_rtt_us = 0;
  return connection;
}

class ConnectionText : public testing::Test {
 protected:
  ConnectionText() {
    ::setenv("TZ", "UTC", 1);  // NOLINT(concurrency-mt-unsafe): no other thread
    ::tzset();
  }
};

TEST_F(ConnectionText, Opened) {
  EXPECT_THAT(
      connection_line(sample(ConnectionEvent::opened), false),
      StartsWith("01:46:40.123456789 opened 10.0.0.1:40000 -> 10.0.0.2:443 connected in 0.312 ms, rtt 0.250 ms, "
                 "curl[4711]"));
}

TEST_F(ConnectionText, Closed) {
  EXPECT_THAT(connection_line(closed(ConnectionEnd::local_fin), false),
              StartsWith("01:46:40.123456789 closed 10.0.0.1:40000 -> 10.0.0.2:443 local FIN, 1.234 s, sent 120 B, "
                         "received 3456 B, retransmitted 2, rtt 0.250 ms, curl[4711]"));
}

TEST_F(ConnectionText, FailedWithItsError) {
  EXPECT_THAT(
      connection_line(refused(), false),
      StartsWith("01:46:40.123456789 failed 10.0.0.1:40000 -> 10.0.0.2:443 refused (ECONNREFUSED), 0.090 ms, curl"));
}

TEST_F(ConnectionText, ArrowsAndColours) {
  auto connection = closed(ConnectionEnd::remote_reset);
  connection.direction = ConnectionDirection::inbound;
  EXPECT_THAT(connection_line(connection, false), HasSubstr(" <- 10.0.0.2:443 remote RST,"));
  EXPECT_THAT(connection_line(connection, true), HasSubstr("\033[1;31mremote RST\033[0m"));
  connection.direction = ConnectionDirection::unknown;
  EXPECT_THAT(connection_line(connection, true), HasSubstr(" -- 10.0.0.2:443"));
}

TEST(ConnectionJson, AllThatIsKnown) {
  const auto json = nlohmann::json::parse(connection_json(closed(ConnectionEnd::remote_fin)));
  EXPECT_EQ(json["type"], "connection");
  EXPECT_EQ(json["time"], "2001-09-09T01:46:40.123456789Z");
  EXPECT_EQ(json["event"], "closed");
  EXPECT_EQ(json["direction"], "outbound");
  EXPECT_EQ(json["end"], "remote_fin");
  EXPECT_EQ(json["local"], "10.0.0.1");
  EXPECT_EQ(json["local_port"], 40'000);
  EXPECT_EQ(json["remote_port"], 443);
  EXPECT_EQ(json["connect_latency_ns"], 312'000);
  EXPECT_EQ(json["duration_ns"], 1'234'000'000);
  EXPECT_EQ(json["bytes_sent"], 120);
  EXPECT_EQ(json["bytes_received"], 3456);
  EXPECT_EQ(json["segments_sent"], 5);
  EXPECT_EQ(json["retransmissions"], 2);
  EXPECT_EQ(json["smoothed_rtt_us"], 250);
  EXPECT_EQ(json["owner"]["pid"], 4711);
  EXPECT_FALSE(json.contains("error"));
}

TEST(ConnectionJson, WhatIsNotKnownIsNotThere) {
  auto connection = refused();
  connection.duration.reset();
  const auto json = nlohmann::json::parse(connection_json(connection));
  EXPECT_EQ(json["error"], "ECONNREFUSED");
  for (const char* member : {"connect_latency_ns", "duration_ns", "smoothed_rtt_us"})
    EXPECT_FALSE(json.contains(member)) << member;
  Connection udp;
  udp.event = ConnectionEvent::open;
  udp.socket.protocol = IPPROTO_UDP;
  EXPECT_FALSE(nlohmann::json::parse(connection_json(udp)).contains("bytes_sent"));
}

TEST(ConnectionTable, ColumnsAreAligned) {
  auto established = sample(ConnectionEvent::open);
  established.bytes_sent = 1'234'567;
  auto listening = sample(ConnectionEvent::open);
  listening.direction = ConnectionDirection::unknown;
  listening.socket.state = TCP_LISTEN;
  listening.socket.remote = {};
  listening.segments_sent = 0;
  listening.smoothed_rtt_us = 0;
  const std::array both{established, listening};
  const auto lines = test::lines_of(connection_table(both));
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_THAT(lines[0], StartsWith("PROTO  STATE "));
  const auto column = lines[0].find("OWNER");
  EXPECT_THAT(lines[1].substr(column), StartsWith("curl[4711]"));
  EXPECT_THAT(lines[2].substr(column), StartsWith("curl[4711]"));
  EXPECT_THAT(lines[1], HasSubstr("1.2 MB"));
  EXPECT_THAT(lines[1], HasSubstr("->  10.0.0.2:443"));
  EXPECT_THAT(lines[2], HasSubstr("LISTEN"));
  EXPECT_THAT(lines[2], HasSubstr("*"));
}

TEST(ConnectionTable, NamespacesWhereThereAreSeveral) {
  auto elsewhere = sample(ConnectionEvent::open);
  elsewhere.socket.network_namespace = 4026532000;
  const std::array both{sample(ConnectionEvent::open), elsewhere};
  EXPECT_THAT(connection_table(both), StartsWith("NETNS "));
  EXPECT_THAT(connection_table(both), HasSubstr("4026532000  tcp"));
}

std::string summary_of(bool json) {
  const test::TemporaryFile file(".out");
  auto output = open_output(file.path());
  EXPECT_TRUE(output);
  auto sink = make_connection_summary(std::move(*output), json);
  const std::array events{sample(ConnectionEvent::opened), closed(ConnectionEnd::local_fin), refused()};
  EXPECT_TRUE(sink->write(events));
  pipeline::EventTotals totals;
  totals.events = 3;
  EXPECT_TRUE(sink->finish(totals));
  EXPECT_EQ(sink->written(), 3U);
  sink.reset();
  return test::read_file(file.path());
}

TEST(ConnectionSummary, Text) {
  const auto text = summary_of(false);
  EXPECT_THAT(text, HasSubstr("connect latency of 1: min 0.312 ms, median 0.312 ms, max 0.312 ms"));
  EXPECT_THAT(text, testing::ContainsRegex("curl\\[4711\\] +1 +1 +1 +120 B +3.5 kB +2"));
  EXPECT_THAT(text, testing::ContainsRegex("10.0.0.2 +1 +1 +1 "));
  EXPECT_THAT(text, testing::ContainsRegex("local FIN +1\n"));
  EXPECT_THAT(text, testing::ContainsRegex("refused +1\n"));
}

TEST(ConnectionSummary, Json) {
  const auto json = nlohmann::json::parse(summary_of(true));
  EXPECT_EQ(json["type"], "summary");
  EXPECT_EQ(json["events"], 3);
  EXPECT_EQ(json["peers"][0]["peer"], "10.0.0.2");
  EXPECT_EQ(json["processes"][0]["opened"], 1);
  EXPECT_EQ(json["processes"][0]["failed"], 1);
  EXPECT_EQ(json["processes"][0]["bytes_received"], 3456);
  EXPECT_EQ(json["ends"]["refused"], 1);
  EXPECT_EQ(json["connect_latency_ns"]["median"], 312'000);
}

}  // namespace
}  // namespace sonde::exporter
