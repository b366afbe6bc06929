// SPDX-License-Identifier: Apache-2.0
// A new configuration and a new process, while clients are connected and connect.
#include <gtest/gtest.h>
#include <signal.h>

#include <regex>
#include <thread>

#include "proxied.hpp"

namespace sonde::test {
namespace {

using namespace std::chrono_literals;

class ProxyChanges : public ::testing::Test {
 protected:
  void SetUp() override {
    upstream_.expect("listening");
    proxy_ = std::make_unique<Proxied>(host_, config_);
  }
  void expect_served(const std::string& name) {
    Peer client(host_, {"hold", "127.0.0.1", "8443", name, "1"});
    client.expect("open");
    client.finish();
    EXPECT_TRUE(client.expect("asked")["failures"].empty()) << client.expect("asked");
  }
  void expect_refused(const std::string& name) {
    const auto said = peer_says(host_, {"send_hello", "127.0.0.1", "8443", name}, "answer");
    EXPECT_EQ(said["answer"], "15030100020270") << said;
  }
  static void expect_well(Peer& holder) {
    holder.finish();
    const auto said = holder.expect("asked");
    EXPECT_TRUE(said["failures"].empty()) << said;
    EXPECT_GT(said["asked"], 20) << said;
  }

  NetworkNamespace host_;
  Peer upstream_{host_, {"echo", "127.0.0.1", "9443"}};
  Json config_ = one_route("127.0.0.1:8443", "127.0.0.1:9443");
  std::unique_ptr<Proxied> proxy_;
};

TEST_F(ProxyChanges, ANewFileHoldsForNewConnectionsAndDropsNone) {
  Peer holder(host_, {"hold", "127.0.0.1", "8443", "name.test", "20"});
  holder.expect("open");
  config_["routes"][0]["sni"] = {"new.test"};
  proxy_->change(config_);
  const auto answer = proxy_->ask("reload");
  EXPECT_EQ(answer.status, 0) << answer.text;
  expect_served("new.test");
  expect_refused("name.test");
  config_["routes"][0]["sni"] = {"newer.test"};
  proxy_->change(config_);
  proxy_->process().signal(SIGHUP);
  EXPECT_TRUE(eventually([&] { return proxy_->status()["reloads"] == 2; })) << proxy_->status();
  expect_served("newer.test");
  expect_refused("new.test");
  expect_well(holder);
}

TEST_F(ProxyChanges, ABrokenFileChangesNothingAndIsTold) {
  Peer holder(host_, {"hold", "127.0.0.1", "8443", "name.test", "5"});
  holder.expect("open");
  auto broken = config_;
  broken["routes"][0]["sni"] = {"new.test"};
  broken["routes"][0]["balance"] = "fastest";
  proxy_->change(broken);
  const auto answer = proxy_->ask("reload");
  EXPECT_NE(answer.status, 0);
  EXPECT_NE(answer.text.find("balance"), std::string::npos) << answer.text;
  EXPECT_NE(answer.text.find("fastest"), std::string::npos) << answer.text;
  proxy_->process().signal(SIGHUP);
  EXPECT_TRUE(eventually([&] { return proxy_->status()["failed_reloads"] == 2; })) << proxy_->status();
  auto unchangeable = config_;
  unchangeable["workers"] = 1;
  proxy_->change(unchangeable);
  const auto refused = proxy_->ask("reload");
  EXPECT_NE(refused.status, 0);
  EXPECT_TRUE(std::regex_search(refused.text, std::regex("proxy\\.json:[0-9]+: workers: cannot be changed")))
      << refused.text;
  expect_served("name.test");
  expect_refused("new.test");
  expect_well(holder);
}

TEST_F(ProxyChanges, ListenersComeAndGo) {
  Peer holder(host_, {"hold", "127.0.0.1", "8443", "name.test", "5"});
  holder.expect("open");
  config_["listen_addr"] = {"127.0.0.1:8444"};
  proxy_->change(config_);
  const auto answer = proxy_->ask("reload");
  ASSERT_EQ(answer.status, 0) << answer.text;
  const auto fresh =
      peer_says(host_, {"send_hello", "127.0.0.1", "8444", "name.test", "16384", "32", "1", "1"}, "answer");
  EXPECT_EQ(fresh["answer"].get<std::string>().substr(0, 12), "68656c6c6f20") << fresh;
  EXPECT_NE(outcome_of(host_, "timeout 5 socat -u /dev/null TCP:127.0.0.1:8443").status, 0)
      << "nobody listens any more";
  expect_well(holder);
}

// Not one of those who connect all the time is refused or reset, and who was connected stays so.
TEST_F(ProxyChanges, ASecondProcessTakesOver) {
  Peer holder(host_, {"hold", "127.0.0.1", "8443", "name.test", "10"});
  holder.expect("open");
  std::vector<std::unique_ptr<Peer>> knockers;
  for (int i = 0; i < 4; ++i) {
    knockers.push_back(
        std::make_unique<Peer>(host_, std::vector<std::string>{"knock", "127.0.0.1", "8443", "name.test"}));
    knockers.back()->expect("knocking");
  }
  std::this_thread::sleep_for(500ms);
  const auto second = proxy_->successor();
  EXPECT_TRUE(eventually([&] { return proxy_->status()["pid"] == second->pid(); })) << proxy_->status()["pid"];
  std::this_thread::sleep_for(500ms);
  EXPECT_EQ(proxy_->process().wait(0ms), -1) << "it has connections still: " << proxy_->process().errors();
  const auto third = proxy_->successor();
  EXPECT_EQ(second->wait(proxy_patience), 0) << "it has none: " << second->errors();
  std::this_thread::sleep_for(500ms);
  std::uint64_t knocked = 0;
  for (const auto& knocker : knockers) {
    knocker->finish();
    const auto said = knocker->expect("knocked");
    EXPECT_TRUE(said["failures"].empty()) << said;
    knocked += said["knocked"].get<std::uint64_t>();
  }
  EXPECT_GT(knocked, 20U);
  expect_well(holder);
  EXPECT_EQ(proxy_->process().wait(proxy_patience), 0) << proxy_->process().errors();
  EXPECT_EQ(proxy_->ask("stop").status, 0);
  EXPECT_EQ(third->wait(proxy_patience), 0) << third->errors();
}

TEST_F(ProxyChanges, AnotherProxyThatDoesNotTakeOverIsRefused) {
  Process other(host_, {SONDE_PROGRAM, "proxy", proxy_->config_path()});
  EXPECT_EQ(other.wait(proxy_patience), 1) << other.errors();
  EXPECT_NE(other.errors().find(std::to_string(proxy_->pid())), std::string::npos) << other.errors();
  expect_served("name.test");
}

}  // namespace
}  // namespace sonde::test
