// SPDX-License-Identifier: Apache-2.0
// What the server knows of connections on the wire, over the ends and beginnings of its processes. The oracles: bytes
// that the peers have counted, and how often the access log has a line.
#include <gtest/gtest.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <memory>
#include <thread>
#include <vector>

#include "actuators/proxy/wire/table_maps.hpp"
#include "conversation.hpp"
#include "wired_hosts.hpp"

namespace sonde::test {
namespace {

using namespace std::chrono_literals;

class WireServer : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  }

  // Each with a control socket and a log of its own. They stay until the test is over: with the object go the pins.
  Proxied* start(const Json& more = Json::object()) {
    auto config = wired_config("wire");
    config.update(more);
    return proxies_.emplace_back(std::make_unique<Proxied>(hosts_.proxy, config)).get();
  }

  Conversation joined(const Meeting& meeting = {}) {
    auto conversation = meet(hosts_.client, listening_, meeting);
    EXPECT_TRUE(conversation.talk());
    EXPECT_TRUE(comes_to_the_wire(hosts_.proxy, conversation.client_end)) << proxies_.front()->status().dump(1);
    EXPECT_TRUE(conversation.talk());
    return conversation;
  }

  // So much each way, a little at a time: both sides send before either reads.
  static bool talk_long(Conversation& conversation) {
    for (int i = 0; i < 50; ++i)
      if (!conversation.talk(20'000)) return false;
    return true;
  }

  // The client closes, then the server.
  static void close(Conversation& conversation) {
    conversation.client.shut();
    EXPECT_TRUE(conversation.server.receive_to_end(conversation.client.sent));
    conversation.server.fd.reset();
    EXPECT_TRUE(conversation.client.receive_to_end(conversation.server.sent));
    conversation.client.fd.reset();
  }

  static void expect_line(const Json& line, const Conversation& conversation, const std::string& end) {
    EXPECT_EQ(line.at("path"), "wire") << line;
    EXPECT_EQ(line.at("end"), end) << line;
    EXPECT_EQ(line.at("client"), conversation.client_end.text()) << line;
    EXPECT_EQ(line.at("server_name"), "name.test") << line;
    EXPECT_EQ(line.at("route"), "route") << line;
    EXPECT_EQ(line.at("upstream"), "10.8.2.1:9443") << line;
    EXPECT_EQ(line.at("bytes_received"), conversation.hello + conversation.client.sent) << line;
    EXPECT_EQ(line.at("bytes_sent"), conversation.server.sent) << line;
  }

  // Of this network namespace: maps, and the links of programs.
  [[nodiscard]] std::size_t pins() const {
    std::size_t count = 0;
    hosts_.proxy.call([&] {
      const auto directory = proxy::table_directory();
      ASSERT_TRUE(directory) << directory.error().text();
      std::error_code none;
      count = static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(*directory, none), {}));
    });
    return count;
  }

  WiredHosts hosts_;
  Listening listening_{hosts_.server, endpoint_at(server_ipv4, server_port)};
  std::vector<std::unique_ptr<Proxied>> proxies_;
};

TEST_F(WireServer, CountsAndLogsWhatIsOnTheWire) {
  auto* const proxy = start();
  auto conversation = joined();
  auto status = proxy->status();
  EXPECT_EQ(status.at("wire").at("connections"), 1);
  EXPECT_EQ(status.at("wire").at("joined"), 1);
  EXPECT_EQ(status.at("wire").at("adopted"), 0);
  EXPECT_EQ(status.at("wire").at("capacity"), 65'536);
  EXPECT_EQ(status.at("wire").at("interfaces").size(), 2U);
  EXPECT_EQ(status.at("statistics").at("active_connections"), 1);
  EXPECT_EQ(connections_by(*proxy, "wire"), 1U);
  EXPECT_TRUE(talk_long(conversation));
  status = proxy->status();  // up to now, though it goes on
  EXPECT_EQ(status.at("statistics").at("bytes_received"), conversation.hello + conversation.client.sent);
  EXPECT_EQ(status.at("statistics").at("bytes_sent"), conversation.server.sent);
  EXPECT_GE(status.at("wire").at("bytes").get<std::uint64_t>(), 2'000'000U);
  close(conversation);
  expect_line(proxy->log(1).at(0), conversation, "client-closed");
  status = proxy->status();
  EXPECT_EQ(status.at("wire").at("connections"), 0);
  EXPECT_EQ(status.at("statistics").at("active_connections"), 0);
  EXPECT_EQ(status.at("ends").at("client-closed"), 1);
}

TEST_F(WireServer, KilledAndStartedAgain) {
  auto* proxy = start();
  auto conversation = joined();
  auto ends_meanwhile = joined();
  proxy->process().signal(SIGKILL);
  proxy->process().wait();
  EXPECT_TRUE(talk_long(conversation)) << "without any process";
  close(ends_meanwhile);
  proxy = start();
  const auto line = proxy->log(1).at(0);
  expect_line(line, ends_meanwhile, "client-closed");
  EXPECT_TRUE(conversation.talk(1000));
  const auto status = proxy->status();
  EXPECT_EQ(status.at("wire").at("adopted"), 2);
  EXPECT_EQ(status.at("wire").at("connections"), 1);
  EXPECT_EQ(status.at("statistics").at("active_connections"), 1);
  auto other = joined();
  close(other);
  close(conversation);
  const auto lines = proxy->log(3);
  ASSERT_EQ(lines.size(), 3U);
  expect_line(lines[1], other, "client-closed");
  expect_line(lines[2], conversation, "client-closed");
  EXPECT_GT(lines[2].at("duration_ms").get<double>(), lines[1].at("duration_ms").get<double>());
  EXPECT_EQ(proxy->statistic("active_connections"), 0U);
}

TEST_F(WireServer, AStopLeavesThem) {
  auto* proxy = start();
  auto conversation = joined();
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_EQ(proxy->ask("stop").status, 0);
  EXPECT_EQ(proxy->process().wait(10s), 0);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 5s) << "it has waited for the connection";
  EXPECT_NE((proxy->process().output() + proxy->process().errors()).find("1 connections stay on the wire"),
            std::string::npos);
  EXPECT_TRUE(conversation.talk(100'000));
  proxy = start();
  close(conversation);
  expect_line(proxy->log(1).at(0), conversation, "client-closed");
}

TEST_F(WireServer, NothingIsLeftByAStopWithoutConnections) {
  auto* const proxy = start();
  auto conversation = joined();
  close(conversation);
  EXPECT_GE(pins(), 6U + 2U) << "maps, and a link an interface";
  EXPECT_EQ(proxy->ask("stop").status, 0);
  EXPECT_EQ(proxy->process().wait(10s), 0);
  EXPECT_EQ(pins(), 0U);
}

TEST_F(WireServer, TheSuccessorAdoptsAndLogs) {
  auto* const proxy = start();
  auto conversation = joined();
  const auto successor = proxy->successor();
  EXPECT_EQ(proxy->process().wait(20s), 0) << "nothing is left for it to relay";
  EXPECT_TRUE(conversation.talk(100'000));
  EXPECT_TRUE(eventually([&] { return proxy->status().at("wire").at("adopted") == 1; })) << proxy->status();
  EXPECT_EQ(proxy->statistic("active_connections"), 1U);
  auto other = joined();
  close(other);
  close(conversation);
  const auto lines = proxy->log(2);
  ASSERT_EQ(lines.size(), 2U);
  expect_line(lines[1], conversation, "client-closed");
}

TEST_F(WireServer, DrainWaitsForThemAndLeavesNothing) {
  auto* const proxy = start();
  auto conversation = joined();
  const auto answer = proxy->ask("drain");
  EXPECT_EQ(answer.status, 0);
  EXPECT_TRUE(answer.text.starts_with("draining: 1 connections are left, 1 of them on the wire\n")) << answer.text;
  EXPECT_EQ(proxy->process().wait(2s), -1) << "it does not wait";
  EXPECT_TRUE(conversation.talk(1000));
  EXPECT_EQ(proxy->status().at("draining"), true);
  close(conversation);
  EXPECT_EQ(proxy->process().wait(20s), 0);
  expect_line(proxy->log(1).at(0), conversation, "client-closed");
  EXPECT_EQ(pins(), 0U);
}

TEST_F(WireServer, AbortResetsThemAndTheProxyGoesOn) {
  auto* const proxy = start();
  auto first = joined();
  auto second = joined();
  const auto answer = proxy->ask("abort");
  EXPECT_EQ(answer.status, 0);
  EXPECT_TRUE(answer.text.starts_with("2 connections on the wire are reset\n")) << answer.text;
  for (auto* const conversation : {&first, &second}) {
    EXPECT_EQ(conversation->client.ending(), ECONNRESET);
    EXPECT_EQ(conversation->server.ending(), ECONNRESET);
  }
  for (const auto& line : proxy->log(2)) EXPECT_EQ(line.at("end"), "aborted") << line;
  auto conversation = joined();
  close(conversation);
  expect_line(proxy->log(3).at(2), conversation, "client-closed");
}

TEST_F(WireServer, LimitsHoldOverThem) {
  const Json limits = {{"limits", {{"connections_per_client", 1}}}};
  auto* proxy = start(limits);
  auto conversation = joined();
  const auto refused = [&] { EXPECT_THROW((void)meet(hosts_.client, listening_), std::exception); };
  refused();
  EXPECT_EQ(proxy->refusals("too-many-of-client"), 1U);
  proxy->process().signal(SIGKILL);
  proxy->process().wait();
  proxy = start(limits);
  refused();
  EXPECT_EQ(proxy->refusals("too-many-of-client"), 1U) << "adopted ones count too";
  close(conversation);
  EXPECT_TRUE(eventually([&] { return proxy->statistic("active_connections") == 0; }));
  auto other = joined();
  close(other);
}

TEST_F(WireServer, AReloadChangesTheirTimeouts) {
  auto* const proxy = start();
  auto conversation = joined();
  std::this_thread::sleep_for(2s);
  EXPECT_TRUE(conversation.talk());
  auto config = wired_config("wire");
  config["timeouts"] = {{"idle", "1s"}};
  proxy->change(config);
  EXPECT_EQ(proxy->ask("reload").status, 0);
  EXPECT_EQ(conversation.client.ending(), ECONNRESET);
  EXPECT_EQ(conversation.server.ending(), ECONNRESET);
  EXPECT_EQ(proxy->log(1).at(0).at("end"), "idle");
}

// Two proxies of one network namespace would log each other's connections.
TEST_F(WireServer, ASecondProxyGoesWithout) {
  auto* const proxy = start();
  auto* const second = start({{"listen_addr", "10.8.1.2:8444"}});
  auto conversation = joined();
  Meeting there;
  there.proxy = endpoint_at(proxy_ipv4, 8444);
  auto other = meet(hosts_.client, listening_, there);
  EXPECT_TRUE(other.talk(100'000));
  EXPECT_EQ(connections_by(*second, "wire"), 0U);
  EXPECT_FALSE(second->status().contains("wire"));
  EXPECT_EQ(second->ask("stop").status, 0);
  close(other);
  EXPECT_EQ(second->process().wait(20s), 0);
  EXPECT_TRUE(conversation.talk(100'000)) << "the end of the second disturbs the first";
  close(conversation);
  expect_line(proxy->log(1).at(0), conversation, "client-closed");
}

// One that does not want the path keeps what is there all the same.
TEST_F(WireServer, WhatIsLeftIsKeptWithoutThePath) {
  auto* proxy = start();
  auto conversation = joined();
  proxy->process().signal(SIGKILL);
  proxy->process().wait();
  proxy = start({{"forwarding", "copy"}});
  EXPECT_TRUE(conversation.talk(1000));
  EXPECT_EQ(proxy->status().at("wire").at("adopted"), 1);
  close(conversation);
  expect_line(proxy->log(1).at(0), conversation, "client-closed");
}

}  // namespace
}  // namespace sonde::test
