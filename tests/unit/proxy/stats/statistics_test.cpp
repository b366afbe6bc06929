// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/stats/statistics.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>

#include "addresses.hpp"
#include "harness/process.hpp"

namespace sonde::proxy {
namespace {

using nlohmann::json;
using testing::StartsWith;

struct StatisticsTest : testing::Test {
  StatisticsTest() { std::filesystem::create_directory(folder); }
  ~StatisticsTest() override { std::filesystem::remove_all(folder); }
  [[nodiscard]] ProxyConfig everything() const {
    ProxyConfig config;
    config.ip_traffic = {.enabled = true,
                         .max_tracked_ips = 100,
                         .output_file = folder + "/clients.json",
                         .persistence_file = folder + "/kept/clients.json"};
    config.domain_ips = {.enabled = true, .output_file = folder + "/domains.json"};
    config.access_log = folder + "/access.log";
    return config;
  }
  std::string folder = std::filesystem::temp_directory_path() / ("sonde-statistics-" + std::to_string(::getpid()));
};

TEST_F(StatisticsTest, WhatWorkersAddSumsUp) {
  constexpr unsigned workers = 4;
  constexpr std::uint64_t times = 20'000;
  auto statistics = Statistics::open(everything(), workers);
  ASSERT_TRUE(statistics) << statistics.error().text();
  std::vector<std::thread> threads;
  for (unsigned worker = 0; worker < workers; ++worker)
    threads.emplace_back([&, worker] {
      Statistics& mine = **statistics;
      for (std::uint64_t i = 0; i < times; ++i) {
        mine.add(worker, Counter::total_connections);
        mine.connection_began();
        mine.add_client_connection(at("192.0.2.1"));
        mine.add_traffic(worker, at("192.0.2.1", 5), 3, 5);
        if (i % 4 == 0) mine.refuse(worker, Refusal::plain_http);
        mine.connection_ended();
      }
    });
  for (auto& thread : threads) thread.join();
  const Statistics& all = **statistics;
  EXPECT_EQ(all.sum(Counter::total_connections), workers * times);
  EXPECT_EQ(all.sum(Counter::bytes_received), 3 * workers * times);
  EXPECT_EQ(all.sum(Counter::bytes_sent), 5 * workers * times);
  EXPECT_EQ(all.sum(Refusal::plain_http), workers * times / 4);
  EXPECT_EQ(all.sum(Counter::rejected_requests), workers * times / 4);
  EXPECT_EQ(all.sum(Refusal::not_tls), 0U);
  EXPECT_EQ(all.active(), 0U);
  ASSERT_TRUE((*statistics)->save());
  EXPECT_EQ(json::parse(test::read_file(folder + "/clients.json"))["total"],
            json({{"bytes_received", 3 * workers * times},
                  {"bytes_sent", 5 * workers * times},
                  {"connections", workers * times}}));
}

TEST_F(StatisticsTest, FilesOfTwoRuns) {
  for (int run = 1; run <= 2; ++run) {
    auto statistics = Statistics::open(everything(), 1);
    ASSERT_TRUE(statistics) << statistics.error().text();
    (*statistics)->add_client_connection(at("2001:db8::1"));
    (*statistics)->add_traffic(0, at("2001:db8::1"), 10, 0);
    (*statistics)->add_domain_address("a.example", at("198.51.100.1"));
    ConnectionRecord record;
    record.end = "idle";
    record.server_name = "a.example";
    (*statistics)->log(record);
    ASSERT_TRUE((*statistics)->save());
    EXPECT_EQ((*statistics)->sum(Counter::bytes_received), 10U) << "of this run";
    const json clients = json::parse(test::read_file(folder + "/clients.json"));
    EXPECT_EQ(clients["clients"][0]["address"], "2001:db8::1");
    EXPECT_EQ(clients["clients"][0]["bytes_received"], 10 * run) << "of all runs";
    EXPECT_EQ(clients["clients"][0]["connections"], run);
    EXPECT_EQ(json::parse(test::read_file(folder + "/domains.json"))["domains"][0]["addresses"],
              json({"198.51.100.1"}));
  }
  EXPECT_EQ(test::lines_of(test::read_file(folder + "/access.log")).size(), 2U);
}

TEST_F(StatisticsTest, FilesThatCannotBeOpenedNameTheirKey) {
  const std::string wrong = "/proc/nothing/here";
  auto config = everything();
  config.access_log = wrong;
  auto opened = Statistics::open(config, 1);
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().message, StartsWith("access_log: /proc/nothing"));
  config = everything();
  config.ip_traffic.output_file = wrong;
  opened = Statistics::open(config, 1);
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().message, StartsWith("ip_traffic_tracking.output_file: /proc/nothing"));
  config = everything();
  config.ip_traffic.persistence_file = wrong;
  opened = Statistics::open(config, 1);
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().message, StartsWith("ip_traffic_tracking.persistence_file: /proc/nothing"));
  config = everything();
  config.domain_ips.output_file = wrong;
  opened = Statistics::open(config, 1);
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().message, StartsWith("domain_ip_tracking.output_file: /proc/nothing"));
}

TEST_F(StatisticsTest, WhatIsOffIsNotKept) {
  auto config = everything();
  config.ip_traffic.enabled = config.domain_ips.enabled = false;
  auto statistics = Statistics::open(config, 1);
  ASSERT_TRUE(statistics);
  (*statistics)->add_traffic(0, at("192.0.2.1"), 1, 1);
  (*statistics)->add_domain_address("a", at("192.0.2.1"));
  ASSERT_TRUE((*statistics)->save());
  EXPECT_FALSE(std::filesystem::exists(config.ip_traffic.output_file));
  EXPECT_FALSE(std::filesystem::exists(config.domain_ips.output_file));
  EXPECT_EQ((*statistics)->sum(Counter::bytes_sent), 1U);
}

}  // namespace
}  // namespace sonde::proxy
