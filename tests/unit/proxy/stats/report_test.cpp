// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/stats/report.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "addresses.hpp"
#include "harness/process.hpp"
#include "prometheus.hpp"

namespace sonde::proxy {
namespace {

using nlohmann::json;

ReportFacts some_facts() {
  ReportFacts facts;
  facts.paths = {{.path = ProxyForwarding::bypass, .on = true, .reason = "self-test: 2 MiB"},
                 {.path = ProxyForwarding::sockmap, .on = false, .reason = "loses bytes"}};
  facts.upstreams = {
      {.route = "a \"quoted\" \\ route\n", .upstream = "h:443", .up = false, .checked = true, .connections = 3},
      {.route = "r", .upstream = "[2001:db8::1]:443", .up = true, .checked = false, .connections = 0}};
  facts.listeners = {"0.0.0.0:443"};
  facts.dns_cache_capacity = 5;
  facts.dns_cache_in_kernel = true;
  facts.client_filter = "native XDP on eth0";
  facts.filter_passed = 11;
  facts.filter_dropped = 12;
  facts.workers = 2;
  facts.reloads = 6;
  facts.failed_reloads = 7;
  return facts;
}

struct ReportTest : testing::Test {
  ReportTest() {
    config.ip_traffic.enabled = true;
    config.ip_traffic.max_tracked_ips = 12;
    config.domain_ips.enabled = true;
    config.access_log = log.path();
    auto opened = Statistics::open(config, 2);
    EXPECT_TRUE(opened) << opened.error().text();
    if (opened) statistics = std::move(*opened);
  }
  // A different number for each.
  void count_everything() {
    for (std::size_t i = 0; i < static_cast<std::size_t>(Counter::count); ++i)
      statistics->add(i % 2, static_cast<Counter>(i), 1000 + i);
    for (std::size_t i = 1; i < static_cast<std::size_t>(Refusal::count); ++i)
      for (std::size_t times = 0; times < i; ++times) statistics->refuse(0, static_cast<Refusal>(i));
    for (int i = 0; i < 20; ++i) {
      const Endpoint client = at("192.0.2." + std::to_string(i));
      statistics->add_client_connection(client);
      statistics->add_traffic(1, client, 10, static_cast<std::uint64_t>(i));
    }
    statistics->add_domain_address("a.example", at("198.51.100.1"));
    for (int i = 0; i < 3; ++i) statistics->connection_began();
    statistics->connection_ended();
    ConnectionRecord record;
    record.end = "client-reset";
    statistics->log(record);
    record.end.clear();
    record.refusal = Refusal::not_tls;
    statistics->log(record);
  }
  test::TemporaryFile log{".log"};
  ProxyConfig config;
  std::unique_ptr<Statistics> statistics;
};

TEST_F(ReportTest, NamesAreDistinctAndWhole) {
  std::set<std::string> names;
  for (std::size_t i = 0; i < static_cast<std::size_t>(Refusal::count); ++i)
    EXPECT_TRUE(names.insert(refusal_name(static_cast<Refusal>(i))).second) << i;
  for (std::size_t i = 0; i < static_cast<std::size_t>(Counter::count); ++i)
    EXPECT_TRUE(names.insert(counter_name(static_cast<Counter>(i))).second) << i;
  EXPECT_EQ(names.count(""), 0U);
  EXPECT_STREQ(refusal_name(Refusal::stopped), "stopped");
  EXPECT_STREQ(counter_name(Counter::copied), "copied");
  EXPECT_STREQ(refusal_name(Refusal::name_not_allowed), "name-not-allowed");
  EXPECT_STREQ(refusal_name(Refusal::socks5_failed), "socks5-failed");
}

TEST_F(ReportTest, StatusHasEverythingThatWasCounted) {
  count_everything();
  const json status = json::parse(status_json(*statistics, some_facts()));
  const json& numbers = status["statistics"];
  const std::uint64_t refused = 19 * 20 / 2;
  EXPECT_EQ(numbers.size(), 14U) << "13 counters and the uptime";
  EXPECT_EQ(numbers["total_connections"], 1000);
  EXPECT_EQ(numbers["active_connections"], 2);
  EXPECT_EQ(numbers["failed_connections"], 1001);
  EXPECT_EQ(numbers["bytes_received"], 1002 + 200);
  EXPECT_EQ(numbers["bytes_sent"], 1003 + 190);
  EXPECT_EQ(numbers["direct_requests"], 1004);
  EXPECT_EQ(numbers["socks5_requests"], 1005);
  EXPECT_EQ(numbers["rejected_requests"], 1006 + refused);
  EXPECT_EQ(numbers["dns_cache_hits"], 1007);
  EXPECT_EQ(numbers["dns_cache_misses"], 1008);
  EXPECT_EQ(numbers["sni_parse_errors"], 1009);
  EXPECT_EQ(numbers["socks5_errors"], 1010);
  EXPECT_EQ(numbers["connection_timeouts"], 1011);
  EXPECT_GE(numbers["uptime_seconds"].get<double>(), 0);
  EXPECT_LT(numbers["uptime_seconds"].get<double>(), 60);
  EXPECT_EQ(status["refusals"]["client-not-allowed"], 1);
  EXPECT_EQ(status["refusals"]["stopped"], 19);
  EXPECT_EQ(status["refusals"].size(), 19U);
  EXPECT_EQ(status["ends"], json::parse(R"({"client-reset": 1})"));
  EXPECT_EQ(status["forwarding"], json::parse(R"([
    {"path": "bypass", "connections": 1012, "on": true, "reason": "self-test: 2 MiB"},
    {"path": "wire", "connections": 1013},
    {"path": "sockmap", "connections": 1014, "on": false, "reason": "loses bytes"},
    {"path": "splice", "connections": 1015}, {"path": "copy", "connections": 1016}])"));
  EXPECT_EQ(status["upstreams"], json::parse(R"([
    {"route": "a \"quoted\" \\ route\n", "upstream": "h:443", "up": false, "connections": 3},
    {"route": "r", "upstream": "[2001:db8::1]:443", "connections": 0}])"));
  EXPECT_EQ(status["dns_cache"], json::parse(R"({"capacity": 5, "in_kernel": true})"));
  EXPECT_EQ(status["client_filter"],
            json::parse(R"({"state": "native XDP on eth0", "packets_passed": 11, "packets_dropped": 12})"));
  EXPECT_EQ(status["clients"]["tracked"], 12);
  EXPECT_EQ(status["clients"]["top"].size(), 10U);
  EXPECT_EQ(status["clients"]["top"][0],
            json::parse(R"({"address": "192.0.2.19", "bytes_received": 10, "bytes_sent": 19, "connections": 1})"));
  EXPECT_EQ(status["clients"]["top"][9]["address"], "192.0.2.10");
  EXPECT_EQ(status["clients"]["others"],
            json::parse(R"({"bytes_received": 80, "bytes_sent": 28, "connections": 8, "departures": 8})"));
  EXPECT_EQ(status["clients"]["total"],
            json::parse(R"({"bytes_received": 200, "bytes_sent": 190, "connections": 20})"));
  EXPECT_EQ(status["domains"], json::parse(R"({"tracked": 1, "departures": 0})"));
  EXPECT_EQ(status["workers"], 2);
  EXPECT_EQ(status["draining"], false);
  EXPECT_EQ(status["listeners"], json::parse(R"(["0.0.0.0:443"])"));
  EXPECT_EQ(status["reloads"], 6);
  EXPECT_EQ(status["failed_reloads"], 7);
}

TEST_F(ReportTest, WhatIsNotThereIsNotShown) {
  auto opened = Statistics::open(ProxyConfig{}, 1);
  ASSERT_TRUE(opened);
  const json status = json::parse(status_json(**opened, ReportFacts{}));
  for (const char* member : {"clients", "domains", "access_log", "client_filter", "wire"})
    EXPECT_FALSE(status.contains(member)) << member;
  const auto metrics = test::parse_metrics(metrics_text(**opened, ReportFacts{}));
  EXPECT_EQ(metrics.error, "");
  EXPECT_FALSE(metrics.types.contains("sonde_proxy_client_filter_packets_total"));
}

TEST_F(ReportTest, MetricsSayTheSameAsStatus) {
  count_everything();
  const auto metrics = test::parse_metrics(metrics_text(*statistics, some_facts()));
  ASSERT_EQ(metrics.error, "");
  const json status = json::parse(status_json(*statistics, some_facts()));
  const auto sample = [&](const std::string& name) {
    const auto found = metrics.samples.find("sonde_proxy_" + name);
    EXPECT_NE(found, metrics.samples.end()) << name;
    return found == metrics.samples.end() ? -1 : found->second;
  };
  for (const auto& [metric, member] :
       std::map<std::string, std::string>{{"connections_total", "total_connections"},
                                          {"active_connections", "active_connections"},
                                          {"failed_connections_total", "failed_connections"},
                                          {"received_bytes_total", "bytes_received"},
                                          {"sent_bytes_total", "bytes_sent"},
                                          {"direct_requests_total", "direct_requests"},
                                          {"socks5_requests_total", "socks5_requests"},
                                          {"rejected_requests_total", "rejected_requests"},
                                          {"dns_cache_hits_total", "dns_cache_hits"},
                                          {"dns_cache_misses_total", "dns_cache_misses"},
                                          {"sni_parse_errors_total", "sni_parse_errors"},
                                          {"socks5_errors_total", "socks5_errors"},
                                          {"connection_timeouts_total", "connection_timeouts"}})
    EXPECT_EQ(sample(metric), status["statistics"][member].get<double>()) << metric;
  for (const auto& [cause, count] : status["refusals"].items())
    EXPECT_EQ(sample("refusals_total{cause=\"" + cause + "\"}"), count.get<double>());
  for (const auto& path : status["forwarding"])
    EXPECT_EQ(sample("path_connections_total{path=\"" + path["path"].get<std::string>() + "\"}"), path["connections"]);
  EXPECT_EQ(sample("ended_connections_total{reason=\"client-reset\"}"), 1);
  EXPECT_EQ(sample("path_on{path=\"bypass\"}"), 1);
  EXPECT_EQ(sample("path_on{path=\"sockmap\"}"), 0);
  EXPECT_EQ(sample("upstream_up{route=\"a \"quoted\" \\ route\n\",upstream=\"h:443\"}"), 0);
  EXPECT_EQ(sample("upstream_connections{route=\"a \"quoted\" \\ route\n\",upstream=\"h:443\"}"), 3);
  EXPECT_FALSE(metrics.samples.contains("sonde_proxy_upstream_up{route=\"r\",upstream=\"[2001:db8::1]:443\"}"));
  EXPECT_EQ(sample("client_filter_packets_total{verdict=\"dropped\"}"), 12);
  EXPECT_EQ(sample("dns_cache_capacity{in=\"kernel\"}"), 5);
  EXPECT_EQ(sample("tracked_clients"), 12);
  EXPECT_EQ(sample("client_departures_total"), 8);
  EXPECT_EQ(sample("access_log_lines_total{result=\"lost\"}"), 0);
  EXPECT_EQ(sample("reloads_total{result=\"failed\"}"), 7);
  EXPECT_GT(sample("start_time_seconds"), 1.7e9);
}

// Numbers that are all different, so that none stands for another.
WireFacts some_wire() {
  WireFacts wire;
  wire.connections = 1;
  wire.capacity = 2;
  wire.joined = 3;
  wire.adopted = 4;
  wire.refused = {{"no-place", 5}, {"no-route", 6}};
  wire.statistics.packets = 7;
  wire.statistics.bytes = 8;
  std::uint64_t value = 100;
  for (const auto& [name, member] : wire_counters) wire.statistics.*member = value++;
  wire.interfaces = {{"eth0", "tcx", ""}, {"eth1", "", "no room"}};
  return wire;
}

TEST_F(ReportTest, TheWire) {
  ReportFacts facts;
  facts.wire = some_wire();
  const json status = json::parse(status_json(*statistics, facts))["wire"];
  EXPECT_EQ(status, json::parse(R"({"connections": 1, "capacity": 2, "joined": 3, "adopted": 4,
    "refused": {"no-place": 5, "no-route": 6}, "packets": 7, "bytes": 8, "acknowledgements_copied": 100,
    "resets_answered": 101, "errors_translated": 102, "errors_sent": 103, "dropped_too_big": 104,
    "dropped_fragment": 105, "dropped_no_route": 106, "dropped_expired": 107, "dropped_congestion": 108,
    "dropped_malformed": 109, "port_reused": 110,
    "interfaces": [{"name": "eth0", "hook": "tcx"}, {"name": "eth1", "failure": "no room"}]})"));
  const auto metrics = test::parse_metrics(metrics_text(*statistics, facts));
  ASSERT_EQ(metrics.error, "");
  const auto sample = [&](const std::string& name) {
    const auto found = metrics.samples.find("sonde_proxy_wire_" + name);
    return found == metrics.samples.end() ? -1 : found->second;
  };
  EXPECT_EQ(sample("connections"), 1);
  EXPECT_EQ(sample("capacity"), 2);
  EXPECT_EQ(sample("joined_connections_total"), 3);
  EXPECT_EQ(sample("adopted_connections_total"), 4);
  EXPECT_EQ(sample("refusals_total{cause=\"no-place\"}"), 5);
  EXPECT_EQ(sample("refusals_total{cause=\"no-route\"}"), 6);
  EXPECT_EQ(sample("packets_total"), 7);
  EXPECT_EQ(sample("bytes_total"), 8);
  for (const auto& [name, member] : wire_counters)
    EXPECT_EQ(sample("events_total{event=\"" + std::string(name) + "\"}"), status[name].get<double>()) << name;
  EXPECT_EQ(sample("interface_attached{interface=\"eth0\"}"), 1);
  EXPECT_EQ(sample("interface_attached{interface=\"eth1\"}"), 0);
}

// The parser of this test must be able to fail. `promtool check metrics` agreed with it when this was written.
TEST_F(ReportTest, TheParserIsStrict) {
  for (const char* text :
       {"", "a 1", "a 1\n", "# HELP a_total x\n# TYPE a_total gauge\na_total 1\n", "# TYPE a gauge\na 1\n",
        "# HELP a x\n# TYPE a gauge\nb 1\n", "# HELP a x\n# TYPE a gauge\na{b=\"\\q\"} 1\n",
        "# HELP a x\n# TYPE a gauge\na{b=\"c\"}1\n", "# HELP a x\n# TYPE a gauge\na 1\na 1\n",
        "# HELP a x\n# TYPE a gauge\na{b=\"c\"\n", "# HELP a x\n# TYPE a gauge\na one\n"})
    EXPECT_NE(test::parse_metrics(text).error, "") << text;
  EXPECT_EQ(test::parse_metrics("# HELP a x\n# TYPE a gauge\na{b=\"c\\n\"} 1\n").error, "");
}

}  // namespace
}  // namespace sonde::proxy
