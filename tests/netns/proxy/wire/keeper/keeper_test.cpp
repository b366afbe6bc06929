// SPDX-License-Identifier: Apache-2.0
// When a connection on the wire is over, and what becomes of its sockets, its element and its peers. The peers are real
// sockets: they say whether they were reset.
#include "actuators/proxy/wire/keeper.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <ctime>
#include <optional>
#include <thread>

#include "actuators/proxy/wire/frozen_sockets.hpp"
#include "actuators/proxy/wire/wire_end.hpp"
#include "base/wall_clock.hpp"
#include "hand_written.hpp"
#include "harness/netns.hpp"
#include "kernel/object.hpp"

namespace sonde::proxy {
namespace {

using namespace std::chrono_literals;
using test::HandWritten;
using test::Recorder;

constexpr std::uint32_t closed = SONDE_WIRE_SAW_FIN | SONDE_WIRE_FIN_ACKNOWLEDGED;

class KeeperTest : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    where_.emplace();
    table_ = open_table();
    ASSERT_TRUE(table_);
  }

  void TearDown() override {
    keeper_.reset();
    if (table_) {
      EXPECT_TRUE(table_->unpin());
    }
  }

  std::unique_ptr<Table> open_table() {
    std::unique_ptr<Table> table;
    where_->call([&] {
      auto opened = Table::open(64);
      ASSERT_TRUE(opened) << opened.error().text();
      table = std::move(*opened);
    });
    return table;
  }

  // Its thread stays in the namespace, as sockets are made there.
  std::unique_ptr<WireKeeper> start(Table& table, Recorder& recorder, const WireLimits& limits = {}) {
    std::unique_ptr<WireKeeper> keeper;
    where_->call([&] {
      auto started = WireKeeper::start(table, limits, recorder);
      ASSERT_TRUE(started) << started.error().text();
      keeper = std::move(*started);
    });
    return keeper;
  }

  HandWritten splice(const std::string& record = "the record") {
    HandWritten made;
    where_->call([&] { made = test::splice_by_hand(*table_, record); });
    return made;
  }

  // As the server does.
  HandWritten splice_and_add() {
    auto made = splice();
    keeper_->add(made.index, Fd(made.proxy_to_client.release()), Fd(made.proxy_to_upstream.release()));
    return made;
  }

  [[nodiscard]] bool reserved(const Endpoint& local, const Endpoint& remote) const {
    bool taken = false;
    where_->call([&] { taken = !reserve_socket(local, remote); });
    return taken;
  }

  static void age(sonde_wire_connection& connection, std::chrono::nanoseconds by) {
    for (auto& side : connection.sides) side.last_seen -= static_cast<std::uint64_t>(by.count());
    connection.joined -= static_cast<std::uint64_t>(by.count());
    connection.spliced -= static_cast<std::uint64_t>(by.count());
  }

  void expect_free(std::uint32_t index) {
    for (int i = 0; i < 400 && table_->at(index).phase != SONDE_WIRE_FREED; ++i) std::this_thread::sleep_for(10ms);
    EXPECT_EQ(table_->at(index).phase, SONDE_WIRE_FREED);
    sonde_wire_flow flow{};
    EXPECT_FALSE(*kernel::map_next_key(table_->flows_fd(), nullptr, &flow)) << "a key is left in FLOWS";
    sonde_wire_record_key key{};
    EXPECT_FALSE(*kernel::map_next_key(table_->records_fd(), nullptr, &key)) << "a record is left";
  }

  std::optional<sonde::test::NetworkNamespace> where_;
  std::unique_ptr<Table> table_;
  Recorder recorder_;
  std::unique_ptr<WireKeeper> keeper_;
};

TEST_F(KeeperTest, both_streams_ended) {
  keeper_ = start(*table_, recorder_);
  const auto made = splice_and_add();
  auto& connection = table_->at(made.index);
  EXPECT_EQ(keeper_->count(), 1U);
  connection.sides[SONDE_WIRE_CLIENT].position += 1000;
  connection.sides[SONDE_WIRE_CLIENT].packets = 3;
  connection.sides[SONDE_WIRE_UPSTREAM].position += 70'000;
  connection.sides[SONDE_WIRE_UPSTREAM].packets = 50;
  connection.sides[SONDE_WIRE_UPSTREAM].seen = closed | SONDE_WIRE_FIRST_FIN;
  connection.sides[SONDE_WIRE_CLIENT].seen = SONDE_WIRE_SAW_FIN;
  keeper_->report();
  EXPECT_TRUE(recorder_.ends().empty()) << "the client's FIN is not acknowledged";
  connection.sides[SONDE_WIRE_CLIENT].seen = closed;
  keeper_->report();
  const auto ends = recorder_.ends();
  ASSERT_EQ(ends.size(), 1U);
  EXPECT_EQ(ends[0].end.reason, WireEndReason::upstream_closed);
  EXPECT_EQ(ends[0].end.bytes_received, 1000U);
  EXPECT_EQ(ends[0].end.bytes_sent, 70'000U);
  EXPECT_EQ(ends[0].end.packets_received, 3U);
  EXPECT_EQ(ends[0].end.packets_sent, 50U);
  EXPECT_EQ(ends[0].end.record, "the record");
  EXPECT_EQ(ends[0].end.ends.client, made.ends.client);
  EXPECT_EQ(recorder_.bytes(), std::pair(std::uint64_t{1000}, std::uint64_t{70'000}));
  EXPECT_EQ(keeper_->count(), 0U);
  // Late packets are still translated, and the upstream's port is held.
  EXPECT_EQ(connection.phase, SONDE_WIRE_SPLICED);
  EXPECT_FALSE(reserved(made.ends.proxy_to_client, made.ends.client));
  EXPECT_TRUE(reserved(made.ends.proxy_to_upstream, made.ends.upstream));
  age(connection, 4s);
  keeper_->report();
  EXPECT_EQ(connection.phase, SONDE_WIRE_SPLICED);
  age(connection, 2s);
  keeper_->report();
  expect_free(made.index);
  EXPECT_FALSE(reserved(made.ends.proxy_to_upstream, made.ends.upstream));
  EXPECT_EQ(recorder_.ends().size(), 1U) << "told twice";
  EXPECT_EQ(test::read_error(made.client), EAGAIN) << "the keeper has sent something";
  EXPECT_EQ(test::read_error(made.upstream), EAGAIN);
}

// Without a walk, which would come within a second.
TEST_F(KeeperTest, one_that_had_ended_when_it_was_added_is_told_at_once) {
  keeper_ = start(*table_, recorder_);
  keeper_->report();
  auto made = splice();
  for (auto& side : table_->at(made.index).sides) side.seen = closed;
  const auto begun = std::chrono::steady_clock::now();
  keeper_->add(made.index, std::move(made.proxy_to_client), std::move(made.proxy_to_upstream));
  EXPECT_EQ(recorder_.wait_for_ends(1).size(), 1U);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 500ms);
}

TEST_F(KeeperTest, a_reset_ends_it) {
  keeper_ = start(*table_, recorder_);
  for (const auto& [side, reason] : {std::pair{SONDE_WIRE_CLIENT, WireEndReason::client_reset},
                                     std::pair{SONDE_WIRE_UPSTREAM, WireEndReason::upstream_reset}}) {
    const auto made = splice_and_add();
    table_->at(made.index).sides[side].seen = SONDE_WIRE_SAW_RESET;
    keeper_->report();
    ASSERT_FALSE(recorder_.ends().empty());
    EXPECT_EQ(recorder_.ends().back().end.reason, reason);
    EXPECT_EQ(table_->at(made.index).phase, SONDE_WIRE_SPLICED);
    age(table_->at(made.index), 3s);
    keeper_->report();
    expect_free(made.index);
  }
}

struct Limit {
  const char* name;
  WireLimits limits;
  std::uint32_t seen_of_client;
  WireEndReason reason;
  bool keeps_busy;  ///< packets come all the time
};

class KeeperLimitTest : public KeeperTest, public testing::WithParamInterface<Limit> {};

TEST_P(KeeperLimitTest, resets_both_peers) {
  keeper_ = start(*table_, recorder_, GetParam().limits);
  const auto made = splice_and_add();
  auto& connection = table_->at(made.index);
  connection.sides[SONDE_WIRE_CLIENT].seen = GetParam().seen_of_client;
  age(connection, 50s);
  if (GetParam().keeps_busy) connection.sides[0].last_seen = static_cast<std::uint64_t>(monotonic_ns());
  keeper_->report();
  EXPECT_TRUE(recorder_.ends().empty());
  EXPECT_EQ(test::read_error(made.client), EAGAIN);
  age(connection, 20s);
  if (GetParam().keeps_busy) connection.sides[0].last_seen = static_cast<std::uint64_t>(monotonic_ns());
  keeper_->report();
  const auto ends = recorder_.ends();
  ASSERT_EQ(ends.size(), 1U);
  EXPECT_EQ(ends[0].end.reason, GetParam().reason);
  EXPECT_GE(ends[0].end.since_joined, 70s) << "until now, not until its last packet";
  EXPECT_EQ(connection.phase, SONDE_WIRE_ABORTED);
  EXPECT_EQ(test::wait_for_error(made.client), ECONNRESET);
  EXPECT_EQ(test::wait_for_error(made.upstream), ECONNRESET);
  expect_free(made.index);
}

INSTANTIATE_TEST_SUITE_P(
    Limits, KeeperLimitTest,
    testing::Values(Limit{"idle", {.idle = 60s}, 0, WireEndReason::idle, false},
                    Limit{"half_closed", {.half_closed = 60s}, closed, WireEndReason::half_closed, false},
                    Limit{"max_age", {.max_age = 60s}, 0, WireEndReason::too_old, true}),
    [](const auto& test) { return std::string(test.param.name); });

TEST_F(KeeperTest, limits_that_do_not_apply) {
  keeper_ = start(*table_, recorder_, {.idle = 60s, .half_closed = 10s, .max_age = 0ms});
  const auto made = splice_and_add();
  age(table_->at(made.index), 30s);
  keeper_->report();
  EXPECT_TRUE(recorder_.ends().empty()) << "it is not half closed";
  keeper_->set_limits({.idle = 20s});
  keeper_->report();
  EXPECT_EQ(recorder_.ends().size(), 1U) << "limits change while it is there";
}

TEST_F(KeeperTest, the_clients_socket_goes_and_the_upstreams_stays) {
  keeper_ = start(*table_, recorder_);
  const auto made = splice_and_add();
  keeper_->report();
  EXPECT_TRUE(reserved(made.ends.proxy_to_client, made.ends.client));
  age(table_->at(made.index), 1s);
  keeper_->report();
  EXPECT_FALSE(reserved(made.ends.proxy_to_client, made.ends.client));
  EXPECT_TRUE(reserved(made.ends.proxy_to_upstream, made.ends.upstream));
  keeper_.reset();  // the end of the process disturbs nobody
  EXPECT_EQ(test::read_error(made.client), EAGAIN);
  EXPECT_EQ(test::read_error(made.upstream), EAGAIN);
  EXPECT_EQ(table_->at(made.index).phase, SONDE_WIRE_SPLICED);
}

// Each byte once, and each end once, over as many processes as there are.
TEST_F(KeeperTest, the_next_process_adopts) {
  keeper_ = start(*table_, recorder_);
  const auto made = splice_and_add();
  auto& client = table_->at(made.index).sides[SONDE_WIRE_CLIENT];
  client.position += 100;
  keeper_->report();
  EXPECT_TRUE(recorder_.adoptions().empty()) << "it is this process's own";
  keeper_.reset();
  client.position += 11;

  auto table = open_table();
  Recorder next;
  auto keeper = start(*table, next);
  EXPECT_THAT(next.adoptions(), testing::ElementsAre(std::pair(made.index, std::string("the record"))))
      << "before start() returns";
  EXPECT_EQ(keeper->count(), 1U);
  client.position += 7;
  keeper->report();
  EXPECT_EQ(recorder_.bytes().first, 100U);
  EXPECT_EQ(next.bytes().first, 18U);
  EXPECT_TRUE(reserved(made.ends.proxy_to_upstream, made.ends.upstream));

  for (auto& side : table->at(made.index).sides) side.seen = closed;
  keeper->report();
  ASSERT_EQ(next.ends().size(), 1U);
  EXPECT_EQ(next.ends()[0].end.bytes_received, 118U);
  keeper.reset();
  table = open_table();
  Recorder last;
  keeper = start(*table, last);
  EXPECT_TRUE(last.adoptions().empty()) << "it is over, and that has been told";
  age(table->at(made.index), 6s);
  keeper->report();
  expect_free(made.index);
  EXPECT_TRUE(last.ends().empty());
}

// Sooner than by the next walk, which would come within a second.
TEST_F(KeeperTest, ends_that_another_holds_are_reserved_when_it_lets_go) {
  auto made = splice();
  keeper_ = start(*table_, recorder_);
  ASSERT_EQ(recorder_.adoptions().size(), 1U);
  keeper_->report();
  const auto begun = std::chrono::steady_clock::now();
  made.proxy_to_upstream.reset();  // the process before has ended
  for (int i = 0; i < 400 && !reserved(made.ends.proxy_to_upstream, made.ends.upstream); ++i)
    std::this_thread::sleep_for(5ms);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 500ms);
  EXPECT_TRUE(reserved(made.ends.proxy_to_upstream, made.ends.upstream));
}

TEST_F(KeeperTest, who_stands_back_holds_sockets_only) {
  keeper_ = start(*table_, recorder_);
  const auto made = splice_and_add();
  auto table = open_table();
  Recorder next;
  const auto keeper = start(*table, next);
  keeper->report();
  EXPECT_TRUE(next.adoptions().empty()) << "two keep it";
  keeper_->stand_back();
  keeper->report();
  EXPECT_EQ(next.adoptions().size(), 1U);
  EXPECT_TRUE(reserved(made.ends.proxy_to_upstream, made.ends.upstream));
  const auto second = splice_and_add();  // that the first was still relaying
  keeper->report();
  EXPECT_EQ(next.adoptions().size(), 2U);
  EXPECT_EQ(keeper_->count(), 2U);
  for (auto& side : table->at(made.index).sides) side.seen = closed;
  keeper->report();
  keeper_->report();
  EXPECT_EQ(next.ends().size(), 1U);
  EXPECT_TRUE(recorder_.ends().empty());
  age(table->at(made.index), 6s);
  keeper->report();
  keeper_->report();
  EXPECT_FALSE(reserved(made.ends.proxy_to_upstream, made.ends.upstream)) << "the first holds it for nobody";
  EXPECT_EQ(keeper_->abort_all(), 0U);
  EXPECT_EQ(keeper->abort_all(), 1U);
  EXPECT_EQ(test::wait_for_error(second.client), ECONNRESET);
}

TEST_F(KeeperTest, abort_all_resets_and_waits) {
  keeper_ = start(*table_, recorder_);
  std::vector<HandWritten> made;
  for (int i = 0; i < 5; ++i) made.push_back(splice_and_add());
  EXPECT_EQ(keeper_->abort_all(), 5U);
  EXPECT_EQ(table_->count(), 0U);
  EXPECT_EQ(recorder_.ends().size(), 5U);
  for (const auto& one : made) {
    EXPECT_EQ(test::wait_for_error(one.client), ECONNRESET);
    EXPECT_EQ(test::wait_for_error(one.upstream), ECONNRESET);
  }
  EXPECT_EQ(keeper_->abort_all(), 0U);
}

TEST_F(KeeperTest, what_a_dead_process_was_joining_is_reset) {
  keeper_ = start(*table_, recorder_);
  auto made = splice();
  const auto child = ::fork();
  if (child == 0) ::_exit(0);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  auto& connection = table_->at(made.index);
  connection.phase = SONDE_WIRE_TAKEN;
  connection.owner = static_cast<std::uint32_t>(::getpid());
  connection.phase = SONDE_WIRE_JOINING;
  keeper_->report();
  EXPECT_EQ(connection.phase, SONDE_WIRE_JOINING) << "this process lives";
  made.proxy_to_client.reset();  // its sockets went with it
  made.proxy_to_upstream.reset();
  connection.owner = static_cast<std::uint32_t>(child);
  keeper_->report();
  EXPECT_EQ(connection.phase, SONDE_WIRE_ABORTED);
  EXPECT_EQ(test::wait_for_error(made.client), ECONNRESET);
  EXPECT_EQ(test::wait_for_error(made.upstream), ECONNRESET);
  expect_free(made.index);
  EXPECT_TRUE(recorder_.ends().empty()) << "nobody had counted it";
}

TEST_F(KeeperTest, what_a_process_of_the_same_number_left_is_not_this_ones) {
  const auto joining = table_->take();
  ASSERT_TRUE(joining);
  const auto spliced = splice();
  table_->at(spliced.index).owner = static_cast<std::uint32_t>(::getpid());
  keeper_ = start(*table_, recorder_);
  EXPECT_EQ(table_->at(*joining).phase, SONDE_WIRE_FREED);
  EXPECT_EQ(recorder_.adoptions().size(), 1U);
}

TEST_F(KeeperTest, a_reused_port_is_told_and_freed) {
  keeper_ = start(*table_, recorder_);
  const auto made = splice_and_add();
  auto& connection = table_->at(made.index);
  connection.sides[SONDE_WIRE_CLIENT].seen = SONDE_WIRE_PORT_REUSED;
  connection.phase = SONDE_WIRE_FREED;
  keeper_->report();
  ASSERT_EQ(recorder_.ends().size(), 1U);
  EXPECT_EQ(recorder_.ends()[0].end.reason, WireEndReason::port_reused);
  expect_free(made.index);
  EXPECT_EQ(connection.sides[SONDE_WIRE_CLIENT].seen, 0U);
}

TEST_F(KeeperTest, one_that_was_spliced_without_a_record_is_adopted_later) {
  auto made = splice("");
  keeper_ = start(*table_, recorder_);
  EXPECT_TRUE(recorder_.adoptions().empty()) << "its process may be about to write it";
  age(table_->at(made.index), 3s);
  keeper_->report();
  EXPECT_THAT(recorder_.adoptions(), testing::ElementsAre(std::pair(made.index, std::string())));
}

// A walk over a full table costs a thousandth of the second after which the next one comes.
TEST(KeeperCost, walking_100000_connections) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  constexpr std::uint32_t count = 100'000;
  auto table = Table::make_private(count);
  ASSERT_TRUE(table) << table.error().text();
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto index = (*table)->take();
    ASSERT_TRUE(index);
    auto& connection = (*table)->at(*index);
    connection.joined = connection.spliced = static_cast<std::uint64_t>(monotonic_ns());
    connection.record_parts = 0;
    connection.ended = 1;  // no sockets are reserved for it
    connection.owner = 0;
    connection.phase = SONDE_WIRE_SPLICED;
  }
  Recorder recorder;
  auto keeper = WireKeeper::start(**table, {}, recorder);
  ASSERT_TRUE(keeper);
  constexpr int walks = 20;
  const auto begun = std::clock();
  for (int i = 0; i < walks; ++i) (*keeper)->report();
  const double milliseconds = 1000.0 * static_cast<double>(std::clock() - begun) / CLOCKS_PER_SEC / walks;
  RecordProperty("milliseconds_a_walk", std::to_string(milliseconds));
  std::printf("%.2f ms a walk\n", milliseconds);
  EXPECT_LT(milliseconds, 50);
}

}  // namespace
}  // namespace sonde::proxy
