// SPDX-License-Identifier: Apache-2.0
// Tables for people and JSON for programs, byte for byte.
#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <sstream>

#include "export/flows/columns.hpp"
#include "export/flows/json.hpp"
#include "records.hpp"
#include "scripted_source.hpp"

namespace sonde::test {
namespace {

using nlohmann::json;
using namespace std::chrono_literals;

std::string in_utc(const FlowTable& table, const FlowTableStyle& style) {
  ::setenv("TZ", "UTC", 1);
  ::tzset();
  return flow_table_text(table, style);
}

TEST(FlowTableText, AllColumns) {
  EXPECT_EQ(in_utc(sample_table(), {}), R"(16:00:50  5 flows in 1.0 s (5 new, 2 ended)  19 packet/s  58.4k bit/s
since the start 1019 packets, 1.0 MB  coverage 99.02 %, 10 lost  [flows: 10, no room]

opener               responder         proto  pkts>  bytes>  <pkts  <bytes  bit/s       rtt  retr  lasts  end     process      name
10.0.0.1:40000       10.0.0.2:443      TCP        3   300 B      2  2.0 kB  18.4k  0.200 ms     1  1.1 s  closed  curl[4711]   www.example\027[2J.org
[2001:db8::1]:40000  [2001:db8::2]:53  UDP        3   300 B      2  2.0 kB  18.4k         -     -  1.1 s          -            example.org
10.0.0.1             10.0.0.2          ICMP       3   300 B      2  2.0 kB  18.4k         -     -  1.1 s  idle    (no socket)  -
2 more flows: 4 packets, 400 B in the interval
)");
}

TEST(FlowTableText, NarrowTerminalsKeepWhatMattersAndNoLineIsLonger) {
  for (std::uint32_t width = 20; width < 160; ++width) {
    std::istringstream lines(in_utc(sample_table(), {.width = width}));
    for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), width);
  }
  const auto cut = in_utc(sample_table(), {.width = 40});
  EXPECT_NE(cut.find("\nsince the start 1019 packets, 1.0 MB  c+\n"), std::string::npos) << cut;
  const auto narrow = in_utc(sample_table(), {.width = 80});
  EXPECT_NE(narrow.find("10.0.0.1:40000"), std::string::npos);
  EXPECT_NE(narrow.find("bit/s"), std::string::npos);
  EXPECT_NE(narrow.find("curl[4711]"), std::string::npos) << narrow;
  EXPECT_EQ(narrow.find("lasts"), std::string::npos);
}

TEST(FlowTableText, ColoursAreClosedOnEveryLineAndLossIsLoud) {
  const auto text = in_utc(sample_table(), {.color = true});
  EXPECT_NE(text.find("\033[1;31msince the start"), std::string::npos);
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    if (line.find('\033') != std::string::npos) {
      EXPECT_TRUE(line.ends_with("\033[0m")) << line;
    }
  auto whole = sample_table();
  whole.loss.stages[1].lost = 0;
  EXPECT_EQ(in_utc(whole, {.color = true}).find("\033[1;31m"), std::string::npos);
}

TEST(FlowTableText, CoverageIsNeverRoundedUp) {
  auto table = sample_table();
  table.loss.stages = {{"flows", 1'000'000'000, 999'999'999, 0, 1, ""}};
  EXPECT_NE(in_utc(table, {}).find("coverage 99.99 %, 1 lost"), std::string::npos);
  table.loss.stages = {{"flows", 0, 0, 0, 0, ""}};
  EXPECT_NE(in_utc(table, {}).find("coverage 100.00 %, 0 lost"), std::string::npos);
}

TEST(FlowTableText, Groups) {
  auto table = sample_table();
  table.by = FlowGrouping::process;
  FlowRow row;
  row.name = "nginx[80]";
  row.flows = 3;
  row.interval = {PacketCount{1000, 1'250'000}, PacketCount{2, 0}};
  row.total = {PacketCount{123'456, 1'234'567'890}, PacketCount{99, 9900}};
  row.rtt = 1234us;
  table.rows = {row};
  EXPECT_NE(in_utc(table, {}).find("process    flows  sent pkts   bytes  rcvd pkts   bytes  bit/s       rtt  retr\n"
                                   "nginx[80]      3       123k  1.2 GB         99  9.9 kB  10.0M  1.234 ms     0\n"
                                   "2 more groups: 4 packets, 400 B in the interval\n"),
            std::string::npos)
      << in_utc(table, {});
}

TEST(FlowTableText, ScaledNumbers) {
  using exporter::scaled_text;
  EXPECT_EQ(scaled_text(0), "0");
  EXPECT_EQ(scaled_text(9999), "9999");
  EXPECT_EQ(scaled_text(9999.6), "10.0k");
  EXPECT_EQ(scaled_text(99'949), "99.9k");
  EXPECT_EQ(scaled_text(99'951), "100k");
  EXPECT_EQ(scaled_text(999'499), "999k");
  EXPECT_EQ(scaled_text(999'501), "1.0M");
  EXPECT_EQ(scaled_text(2.5e12), "2.5T");
}

TEST(FlowJson, ARecord) {
  auto record = sample_record();
  record.flow.name = "a\"b";
  record.flow.name_source = FlowNameSource::tls;
  record.flow.alpn = "h2";
  record.flow.sides[0].owner = owned_by("curl", 4711);
  EXPECT_EQ(
      exporter::flow_record_json(record),
      R"({"type":"flow","time":"2025-11-21T16:00:49.260500000Z","end":"closed","id":17,"first":"2025-11-21T16:00:48.129000000Z",)"
      R"("delta_from":"2025-11-21T16:00:48.129000000Z","interface":"eth0","network_namespace":4026531840,"protocol":"tcp","protocol_number":6,)"
      R"("opener":{"address":"10.0.0.1","port":40000,"total":{"packets":3,"bytes":300},"delta":{"packets":3,"bytes":300},)"
      R"("retransmissions":1,"flags":"FSP.","ttl":64,"owner":{"pid":4711,"tid":4711,"name":"curl","thread":"curl","uid":0,"method":"sk_storage","confidence":"high"}},)"
      R"("responder":{"address":"10.0.0.2","port":443,"total":{"packets":2,"bytes":2000},"delta":{"packets":2,"bytes":2000},)"
      R"("retransmissions":0,"flags":"S.","ttl":60},"start_seen":true,"syn_ack_us":180,"rtt_us":200,"name_source":"tls","name":"a\"b","alpn":"h2"})");
}

TEST(FlowJson, WhatIsNotKnownIsAbsent) {
  auto record = sample_record();
  record.flow.protocol = 1;
  record.flow.handshake_time.reset();
  record.flow.syn_ack_time.reset();
  record.flow.sides[1].packets = 0;
  const auto object = json::parse(exporter::flow_record_json(record));
  for (const auto* member : {"rtt_us", "syn_ack_us", "name", "vlan", "start_seen", "unreachable"})
    EXPECT_FALSE(object.contains(member)) << member;
  EXPECT_FALSE(object["opener"].contains("port"));
  EXPECT_FALSE(object["opener"].contains("owner"));
  EXPECT_FALSE(object["responder"].contains("ttl"));
}

TEST(FlowJson, GroupsAndOthersAddUp) {
  auto table = sample_table();
  table.by = FlowGrouping::destination_port;
  table.rows.resize(1);
  table.rows[0].name = "TCP 443";
  const auto lines = exporter::flow_groups_json(table);
  ASSERT_EQ(lines.size(), 2U);
  const auto group = json::parse(lines[0]);
  EXPECT_EQ(group["type"], "flow_group");
  EXPECT_EQ(group["by"], "dst-port");
  EXPECT_EQ(group["name"], "TCP 443");
  EXPECT_EQ(group["interval"]["sent"]["packets"], 3);
  EXPECT_EQ(group["total"]["received"]["bytes"], 2000);
  EXPECT_EQ(group["seconds"], 1.0);
  const auto others = json::parse(lines[1]);
  EXPECT_EQ(others["type"], "flow_group_others");
  EXPECT_EQ(others["groups"], 2);
  EXPECT_FALSE(others.contains("name"));
  EXPECT_EQ(others["interval"]["sent"]["bytes"], 400);
}

TEST(FlowJson, Summary) {
  FlowSummary summary;
  summary.flows = 3;
  summary.records = 4;
  summary.total = {10, 1000};
  summary.duration = 1'500'000'000ns;
  summary.loss.stages = {{"flows", 20, 10, 0, 10, ""}, {"output", 10, 10, 0, 0, ""}};
  const auto object = json::parse(exporter::flow_summary_json(summary));
  EXPECT_EQ(object["type"], "summary");
  EXPECT_EQ(object["coverage"], 0.5);
  EXPECT_EQ(object["loss"]["lost"], 10);
  EXPECT_EQ(object["loss"]["balanced"], true);
  EXPECT_EQ(object["records"], 4);
}

}  // namespace
}  // namespace sonde::test
