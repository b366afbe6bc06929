// SPDX-License-Identifier: Apache-2.0
// `sonde proxy connections|drain|abort` beside a proxy, and after it was killed.
#include <gtest/gtest.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <sstream>

#include "actuators/proxy/wire/table.hpp"
#include "conversation.hpp"
#include "wired_hosts.hpp"

namespace sonde::test {
namespace {

using namespace std::chrono_literals;

class WireCommandsLive : public testing::Test {
 protected:
  Conversation joined() {
    auto conversation = meet(hosts_.client, listening_, {});
    EXPECT_TRUE(conversation.talk());
    EXPECT_TRUE(comes_to_the_wire(hosts_.proxy, conversation.client_end));
    return conversation;
  }

  [[nodiscard]] std::vector<Json> listed() const {
    const auto said = outcome_of(hosts_.proxy, std::string(SONDE_PROGRAM) + " proxy connections --json");
    EXPECT_EQ(said.status, 0) << said.output;
    std::vector<Json> objects;
    std::istringstream lines(said.output);
    for (std::string line; std::getline(lines, line);) objects.push_back(Json::parse(line));
    return objects;
  }

  [[nodiscard]] std::unique_ptr<Process> start(const std::string& word) const {
    return std::make_unique<Process>(
        hosts_.proxy, std::vector<std::string>{SONDE_PROGRAM, "proxy", word, "--control", proxy_.control()});
  }

  [[nodiscard]] std::string directory() const {
    std::string directory;
    hosts_.proxy.call([&] {
      const auto table = proxy::Table::find();
      if (table && *table) directory = (*table)->directory();
    });
    return directory;
  }

  /// tc and bpf have nothing of it any more. A proxy that has given up root cannot remove the folder itself.
  void expect_nothing_left(const std::string& directory) const {
    ASSERT_FALSE(directory.empty());
    std::error_code missing;
    for (const auto& pin : std::filesystem::directory_iterator(directory, missing)) ADD_FAILURE() << pin.path();
    const auto attached = hosts_.proxy.run("bpftool net show; tc filter show dev west ingress");
    EXPECT_EQ(attached.find("forward_"), std::string::npos) << attached;
  }

  /// Both ends close, the client first.
  static void close(Conversation& conversation) {
    conversation.client.shut();
    EXPECT_TRUE(conversation.server.receive_to_end(conversation.client.sent));
    conversation.server.fd.reset();
    EXPECT_TRUE(conversation.client.receive_to_end(conversation.server.sent));
    conversation.client.fd.reset();
  }

  WiredHosts hosts_;
  Listening listening_{hosts_.server, endpoint_at(server_ipv4, server_port)};
  Proxied proxy_{hosts_.proxy, wired_config("wire")};
};

TEST_F(WireCommandsLive, ConnectionsHaveTheBytesThatWereSentAndNoOthers) {
  auto conversation = joined();
  const auto before = listed();
  ASSERT_EQ(before.size(), 1U);
  EXPECT_EQ(before[0]["client"], conversation.client_end.text());
  EXPECT_EQ(before[0]["listener"], endpoint_at(proxy_ipv4, proxy_port).text());
  EXPECT_EQ(before[0]["upstream"], endpoint_at(server_ipv4, server_port).text());
  EXPECT_EQ(before[0]["server_name"], "name.test");
  EXPECT_EQ(before[0]["state"], "spliced");
  constexpr std::uint64_t rounds = 20, size = 50'001;
  ASSERT_TRUE(conversation.client.send(size));
  ASSERT_TRUE(conversation.server.receive(size));
  for (std::uint64_t i = 0; i < rounds; ++i) {
    ASSERT_TRUE(conversation.server.send(size));
    ASSERT_TRUE(conversation.client.receive(size));
  }
  const auto after = listed();
  ASSERT_EQ(after.size(), 1U);
  const auto more = [&](const char* stream) {
    return after[0][stream]["bytes"].get<std::uint64_t>() - before[0][stream]["bytes"].get<std::uint64_t>();
  };
  EXPECT_EQ(more("from_client"), size) << before[0] << '\n' << after[0];
  EXPECT_EQ(more("from_upstream"), rounds * size) << before[0] << '\n' << after[0];
  EXPECT_GT(after[0]["from_upstream"]["packets"], rounds * size / 1500) << after[0];
  EXPECT_EQ(after[0]["id"], before[0]["id"]);
  conversation.client.shut();
  ASSERT_TRUE(conversation.server.receive_to_end(conversation.client.sent));
  EXPECT_TRUE(eventually([&] { return listed().at(0)["state"] == "half-closed"; }));
}

TEST_F(WireCommandsLive, WhatAKilledProxyHasLeftIsShownAndDrained) {
  auto conversation = joined();
  const auto where = directory();
  proxy_.process().signal(SIGKILL);
  ASSERT_EQ(proxy_.process().wait(), 128 + SIGKILL);
  EXPECT_TRUE(conversation.talk(50'000));
  ASSERT_EQ(listed().size(), 1U);
  EXPECT_EQ(listed()[0]["server_name"], "name.test");
  const auto drain = start("drain");
  ASSERT_TRUE(drain->wait_for_error_text("1 connection on the wire")) << drain->errors();
  EXPECT_TRUE(conversation.talk(50'000));
  EXPECT_EQ(drain->wait(100ms), -1);
  close(conversation);
  EXPECT_EQ(drain->wait(), 0) << drain->errors();
  const auto line = Json::parse(drain->output());
  EXPECT_EQ(line["end"], "client-closed") << line;
  EXPECT_EQ(line["server_name"], "name.test") << line;
  EXPECT_EQ(line["bytes_received"], conversation.hello + conversation.client.sent) << line;
  EXPECT_EQ(line["bytes_sent"], conversation.server.sent) << line;
  expect_nothing_left(where);
}

TEST_F(WireCommandsLive, WhatAKilledProxyHasLeftIsAborted) {
  auto one = joined();
  auto other = joined();
  const auto where = directory();
  proxy_.process().signal(SIGKILL);
  ASSERT_EQ(proxy_.process().wait(), 128 + SIGKILL);
  const auto abort = start("abort");
  EXPECT_EQ(abort->wait(), 0) << abort->errors();
  EXPECT_NE(abort->errors().find("2 connections reset"), std::string::npos) << abort->errors();
  for (auto* const talker : {&one.client, &one.server, &other.client, &other.server})
    EXPECT_EQ(talker->ending(), ECONNRESET);
  expect_nothing_left(where);
}

TEST_F(WireCommandsLive, AProxyThatDrainsEndsAfterTheLast) {
  auto conversation = joined();
  const auto where = directory();
  const auto answer = proxy_.ask("drain");
  EXPECT_EQ(answer.status, 0) << answer.text;
  EXPECT_NE(answer.text.find("1 of them on the wire"), std::string::npos) << answer.text;
  EXPECT_NE(answer.text.find("accepts no more, and ends when they are over"), std::string::npos) << answer.text;
  EXPECT_TRUE(eventually([&] {
    return outcome_of(hosts_.client, std::string("timeout 5 socat -u /dev/null TCP:") + proxy_ipv4 + ":8443").status !=
           0;
  })) << "it accepts";
  EXPECT_EQ(proxy_.process().wait(2s), -1) << "it has ended";
  EXPECT_TRUE(conversation.talk(50'000));
  close(conversation);
  EXPECT_EQ(proxy_.process().wait(), 0);
  const auto lines = proxy_.log(1);
  EXPECT_EQ(lines.back()["end"], "client-closed") << lines.back();
  expect_nothing_left(where);
}

TEST_F(WireCommandsLive, AProxyThatAbortsRunsOn) {
  auto conversation = joined();
  const auto answer = proxy_.ask("abort");
  EXPECT_EQ(answer.status, 0) << answer.text;
  EXPECT_NE(answer.text.find("what the proxy relays itself goes on"), std::string::npos) << answer.text;
  EXPECT_EQ(conversation.client.ending(), ECONNRESET);
  EXPECT_EQ(conversation.server.ending(), ECONNRESET);
  EXPECT_TRUE(listed().empty());
  EXPECT_EQ(proxy_.log(1).back()["end"], "aborted") << proxy_.log(1).back();
  auto next = joined();
  EXPECT_TRUE(next.talk());
}

// Nobody takes the table away from it.
TEST_F(WireCommandsLive, AProxyThatStartsEndsADrain) {
  auto conversation = joined();
  proxy_.process().signal(SIGKILL);
  ASSERT_EQ(proxy_.process().wait(), 128 + SIGKILL);
  const auto drain = start("drain");
  ASSERT_TRUE(drain->wait_for_error_text("1 connection on the wire")) << drain->errors();
  const auto next =
      std::make_unique<Process>(hosts_.proxy, std::vector<std::string>{SONDE_PROGRAM, "proxy", proxy_.config_path()});
  EXPECT_EQ(drain->wait(), 1) << drain->errors();
  EXPECT_NE(drain->errors().find("which the proxy keeps that has started"), std::string::npos) << drain->errors();
  EXPECT_TRUE(conversation.talk(50'000));
  EXPECT_EQ(listed().size(), 1U);
}

}  // namespace
}  // namespace sonde::test
