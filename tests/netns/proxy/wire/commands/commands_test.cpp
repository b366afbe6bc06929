// SPDX-License-Identifier: Apache-2.0
// `sonde proxy connections|drain|abort` where no proxy runs, on connections that are written by hand.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "actuators/proxy/server/wire_record.hpp"
#include "hand_written.hpp"
#include "kernel/mapped_array.hpp"
#include "kernel/pins.hpp"
#include "proxied.hpp"

namespace sonde::proxy {
namespace {

using namespace std::chrono_literals;
using sonde::test::Json;

constexpr std::uint32_t closed = SONDE_WIRE_SAW_FIN | SONDE_WIRE_FIN_ACKNOWLEDGED;

class WireCommands : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  }
  void TearDown() override {
    if (table_) where_.call([&] { (void)table_->unpin(); });
  }

  void make_table() {
    where_.call([&] {
      auto table = Table::open(16);
      ASSERT_TRUE(table) << table.error().text();
      table_ = std::move(*table);
    });
    directory_ = table_->directory();
  }

  // Named, since it was accepted 3 s before it was joined.
  test::HandWritten splice(const std::string& name) {
    test::HandWritten made;
    where_.call([&] {
      made = test::splice_by_hand(*table_, "");
      ConnectionRecord record;
      record.accepted_wall_ns = 1'700'000'000'000'000'000;
      record.client = record.peer = made.ends.client;
      record.listener = made.ends.proxy_to_client;
      record.server_name = name;
      record.route = "shop";
      record.bytes_received = 100;
      record.bytes_sent = 5000;
      record.total = 3s;
      ASSERT_TRUE(table_->write_record(made.index, write_wire_record(record, made.ends)));
    });
    return made;
  }

  [[nodiscard]] sonde::test::Outcome outcome(const std::string& words) const {
    return sonde::test::outcome_of(where_, std::string(SONDE_PROGRAM) + " proxy " + words);
  }
  [[nodiscard]] std::vector<Json> listed(const std::string& words = "") const {
    const auto said = outcome("connections --json " + words);
    EXPECT_EQ(said.status, 0) << said.output;
    std::vector<Json> objects;
    std::istringstream lines(said.output);
    for (std::string line; std::getline(lines, line);) objects.push_back(Json::parse(line));
    return objects;
  }
  [[nodiscard]] std::unique_ptr<sonde::test::Process> start(const std::string& word) const {
    return std::make_unique<sonde::test::Process>(
        where_, std::vector<std::string>{SONDE_PROGRAM, "proxy", word, "--control", no_control});
  }
  [[nodiscard]] bool has_pins() const { return ::access(directory_.c_str(), F_OK) == 0; }

  static constexpr const char* no_control = "/tmp/sonde-no-proxy-is-here.sock";
  sonde::test::NetworkNamespace where_;
  std::unique_ptr<Table> table_;
  std::string directory_;
};

TEST_F(WireCommands, ConnectionsAreListedWithoutAProxy) {
  EXPECT_TRUE(listed().empty());
  EXPECT_EQ(outcome("connections").output, "no connection is on the wire in this network namespace\n");
  make_table();
  EXPECT_TRUE(listed().empty());
  const auto made = splice("shop.example");
  const auto other = splice("other.example");
  auto& element = table_->at(made.index);
  element.joined -= 10'000'000'000;
  element.sides[SONDE_WIRE_CLIENT].position += 1234;
  element.sides[SONDE_WIRE_CLIENT].packets = 7;
  element.sides[SONDE_WIRE_CLIENT].repeated = 2;
  element.sides[SONDE_WIRE_UPSTREAM].position += 5'000'000'000;
  element.sides[SONDE_WIRE_UPSTREAM].seen = SONDE_WIRE_SAW_FIN;
  const auto objects = listed();
  ASSERT_EQ(objects.size(), 2U);
  const auto& first = objects[0];
  EXPECT_EQ(first["id"], element.id);
  EXPECT_EQ(first["state"], "half-closed");
  EXPECT_EQ(first["client"], made.ends.client.text());
  EXPECT_EQ(first["listener"], made.ends.proxy_to_client.text());
  EXPECT_EQ(first["proxy"], made.ends.proxy_to_upstream.text());
  EXPECT_EQ(first["upstream"], made.ends.upstream.text());
  EXPECT_EQ(first["server_name"], "shop.example");
  EXPECT_EQ(first["route"], "shop");
  EXPECT_GE(first["age"], 10.0);
  EXPECT_LT(first["idle"], 10.0);
  EXPECT_EQ(first["from_client"], Json({{"bytes", 1234}, {"packets", 7}, {"repeated", 2}, {"ended", false}}));
  EXPECT_EQ(first["from_upstream"]["bytes"], 5'000'000'000);
  EXPECT_EQ(objects[1]["server_name"], "other.example");
  EXPECT_EQ(listed("--sort idle")[0]["server_name"], "shop.example");

  const auto table = outcome("connections");
  EXPECT_EQ(table.status, 0);
  EXPECT_NE(table.output.find("2 on the wire: 1 spliced, 1 half-closed; 1.2 kB from clients, 5.0 GB to them\n"),
            std::string::npos)
      << table.output;
  EXPECT_EQ(test::read_error(made.client), EAGAIN) << "looking has changed something";
}

TEST_F(WireCommands, DrainWaitsForTheLastAndLeavesNothing) {
  make_table();
  const auto made = splice("shop.example");
  const auto other = splice("other.example");
  const auto drain = start("drain");
  ASSERT_TRUE(drain->wait_for_error_text("2 connections on the wire")) << drain->errors();
  auto& element = table_->at(made.index);
  element.sides[SONDE_WIRE_CLIENT].position += 1000;
  for (auto& side : element.sides) side.seen = closed;
  ASSERT_TRUE(drain->wait_for_output_text("shop.example")) << drain->errors();
  const auto line = Json::parse(drain->output());
  EXPECT_EQ(line["end"], "client-closed") << line;
  EXPECT_EQ(line["path"], "wire");
  EXPECT_EQ(line["bytes_received"], 1100);
  EXPECT_EQ(line["bytes_sent"], 5000);
  EXPECT_EQ(line["bytes_by_kernel"], 1000);
  ASSERT_TRUE(drain->wait_for_error_text("1 left\n")) << drain->errors();
  EXPECT_EQ(drain->wait(100ms), -1) << "one is left";
  for (auto& side : table_->at(other.index).sides) side.seen = closed;
  EXPECT_EQ(drain->wait(), 0) << drain->errors();
  EXPECT_NE(drain->errors().find("no connection is on the wire; its programs and maps are removed"), std::string::npos);
  EXPECT_FALSE(has_pins());
  EXPECT_EQ(test::read_error(made.client), EAGAIN) << "drain has reset it";
}

TEST_F(WireCommands, DrainThatIsStoppedLeavesThem) {
  make_table();
  const auto made = splice("shop.example");
  const auto drain = start("drain");
  ASSERT_TRUE(drain->wait_for_error_text("1 connection on the wire")) << drain->errors();
  drain->signal(SIGINT);
  EXPECT_EQ(drain->wait(), 1) << drain->errors();
  EXPECT_NE(drain->errors().find("1 connection left on the wire, which go"), std::string::npos) << drain->errors();
  EXPECT_TRUE(has_pins());
  EXPECT_EQ(table_->at(made.index).phase, SONDE_WIRE_SPLICED);
  EXPECT_EQ(test::read_error(made.client), EAGAIN);
  EXPECT_EQ(listed().size(), 1U);
}

TEST_F(WireCommands, AbortResetsBothPeersAndLeavesNothing) {
  make_table();
  auto made = splice("shop.example");
  made.proxy_to_client.reset();  // as when their process has ended
  made.proxy_to_upstream.reset();
  const auto abort = start("abort");
  EXPECT_EQ(abort->wait(), 0) << abort->errors();
  EXPECT_EQ(test::wait_for_error(made.client), ECONNRESET);
  EXPECT_EQ(test::wait_for_error(made.upstream), ECONNRESET);
  EXPECT_EQ(Json::parse(abort->output())["end"], "aborted");
  EXPECT_NE(abort->errors().find("1 connection reset; programs and maps of the wire are removed"), std::string::npos)
      << abort->errors();
  EXPECT_FALSE(has_pins());
}

TEST_F(WireCommands, WithoutAnyThereIsNothingToDo) {
  const std::string control = std::string(" --control ") + no_control;
  EXPECT_EQ(outcome("drain" + control).status, 0);
  EXPECT_EQ(outcome("abort" + control).status, 0);
  make_table();
  EXPECT_EQ(outcome("drain" + control).status, 0);
  EXPECT_FALSE(has_pins());
}

TEST_F(WireCommands, WhatAnotherProcessKeepsIsLeftToIt) {
  make_table();
  const auto made = splice("shop.example");
  ASSERT_TRUE(table_->keep());
  for (const std::string word : {"drain", "abort"}) {
    const auto said = outcome(word + " --control " + no_control);
    EXPECT_EQ(said.status, 1) << said.output;
    EXPECT_NE(said.output.find("a process keeps the connections on the wire"), std::string::npos) << said.output;
  }
  EXPECT_EQ(table_->at(made.index).phase, SONDE_WIRE_SPLICED);
  EXPECT_TRUE(has_pins());
}

TEST_F(WireCommands, OfAnotherVersionOnlyAbortKnowsWhatToDo) {
  make_table();
  const auto made = splice("shop.example");
  auto pin = kernel::open_pin(directory_ + "/TABLE");
  ASSERT_TRUE(pin && *pin);
  const auto table = kernel::MappedArray::open(std::move(*pin));
  ASSERT_TRUE(table);
  *reinterpret_cast<std::uint32_t*>(table->memory().data()) = 9999;  // first in every version
  const std::string control = std::string(" --control ") + no_control;
  for (const std::string& words : {std::string("connections"), "drain" + control}) {
    const auto said = outcome(words);
    EXPECT_EQ(said.status, 1) << said.output;
    EXPECT_NE(said.output.find("of another version of sonde: 9999"), std::string::npos) << said.output;
  }
  EXPECT_TRUE(has_pins());
  const auto said = outcome("abort" + control);
  EXPECT_EQ(said.status, 0) << said.output;
  EXPECT_NE(said.output.find("another version"), std::string::npos) << said.output;
  EXPECT_FALSE(has_pins());
}

TEST_F(WireCommands, WithoutPrivilegesItIsThree) {
  make_table();
  for (const std::string& words : {std::string("connections"), std::string("drain --control ") + no_control,
                                   std::string("abort --control ") + no_control}) {
    const auto said = sonde::test::outcome_of(where_, "setpriv --reuid 65534 --clear-groups --no-new-privs " +
                                                          std::string(SONDE_PROGRAM) + " proxy " + words);
    EXPECT_EQ(said.status, 3) << said.output;
    EXPECT_NE(said.output.find("root"), std::string::npos) << said.output;
  }
}

}  // namespace
}  // namespace sonde::proxy
