// SPDX-License-Identifier: Apache-2.0
// The table of the wire splice under two processes at a time. Each test has a network namespace and so pins of its own.
#include "actuators/proxy/wire/table.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <set>
#include <thread>
#include <vector>

#include "actuators/proxy/wire/table_maps.hpp"
#include "harness/netns.hpp"
#include "kernel/object.hpp"
#include "kernel/pins.hpp"

namespace sonde::proxy {
namespace {

using namespace std::chrono_literals;
using test::NetworkNamespace;

Endpoint ipv4(std::uint8_t last, std::uint16_t port) {
  Endpoint endpoint;
  endpoint.address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, last};
  endpoint.port = port;
  return endpoint;
}

class TableTest : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  }

  void TearDown() override {
    if (::geteuid() != 0) return;
    where_.call([&] {
      if (auto table = Table::find(); table && *table) {
        const auto directory = (*table)->directory();
        EXPECT_TRUE((*table)->unpin());
        struct stat status {};
        EXPECT_NE(::stat(directory.c_str(), &status), 0) << directory << " is left behind";
      }
    });
  }

  std::unique_ptr<Table> open(std::uint32_t capacity) {
    std::unique_ptr<Table> table;
    where_.call([&] {
      auto opened = Table::open(capacity);
      if (opened)
        table = std::move(*opened);
      else
        error_ = opened.error().text();
    });
    return table;
  }

  static void rest() { std::this_thread::sleep_for(120ms); }

  NetworkNamespace where_;
  std::string error_;
};

TEST_F(TableTest, takes_each_element_once_and_then_none) {
  auto table = open(8);
  ASSERT_TRUE(table) << error_;
  std::set<std::uint32_t> taken;
  std::set<std::uint64_t> ids;
  for (int i = 0; i < 8; ++i) {
    const auto index = table->take();
    ASSERT_TRUE(index);
    EXPECT_TRUE(taken.insert(*index).second);
    EXPECT_TRUE(ids.insert(table->at(*index).id).second);
    EXPECT_EQ(table->at(*index).phase, SONDE_WIRE_TAKEN);
    EXPECT_EQ(table->at(*index).owner, static_cast<std::uint32_t>(::getpid()));
    EXPECT_EQ(table->used(), static_cast<std::uint32_t>(i + 1));
  }
  EXPECT_FALSE(table->take());
  EXPECT_EQ(table->count(), 8U);

  table->free(3);
  EXPECT_EQ(table->count(), 7U);
  EXPECT_FALSE(table->take()) << "a program may look at it still";
  rest();
  const auto again = table->take();
  ASSERT_TRUE(again);
  EXPECT_EQ(*again, 3U);
  EXPECT_TRUE(ids.insert(table->at(3).id).second) << "an id is used twice";
  EXPECT_EQ(table->used(), 8U);
}

TEST_F(TableTest, an_element_comes_back_empty) {
  auto table = open(1);
  ASSERT_TRUE(table) << error_;
  const auto index = table->take();
  ASSERT_TRUE(index);
  auto& connection = table->at(*index);
  std::ranges::fill(reinterpret_cast<std::uint8_t(&)[256]>(connection.sides), std::uint8_t{0xa5});
  connection.spliced = connection.joined = 77;
  table->free(*index);
  rest();
  ASSERT_EQ(table->take(), index);
  EXPECT_EQ(connection.spliced, 0U);
  EXPECT_EQ(connection.freed, 0U);
  EXPECT_EQ(connection.sides[1].last_seen, 0U);
  EXPECT_EQ(connection.sides[0].source[0], 0U);
}

// One whose port the client has used again is not taken before somebody has said that it is over.
TEST_F(TableTest, what_a_program_frees_waits_for_the_keeper) {
  auto table = open(1);
  ASSERT_TRUE(table) << error_;
  ASSERT_TRUE(table->take());
  auto& connection = table->at(0);
  connection.sides[SONDE_WIRE_CLIENT].seen = SONDE_WIRE_PORT_REUSED;
  connection.freed = 1;
  connection.phase = SONDE_WIRE_FREED;
  rest();
  EXPECT_FALSE(table->take());
  table->free(0);
  rest();
  EXPECT_TRUE(table->take());
}

TEST_F(TableTest, free_takes_the_keys_out_but_not_those_of_another) {
  auto table = open(4);
  ASSERT_TRUE(table) << error_;
  const auto index = table->take();
  ASSERT_TRUE(index);
  const WireEnds ends{ipv4(1, 40000), ipv4(2, 443), ipv4(3, 50000), ipv4(4, 8443)};
  auto& connection = table->at(*index);
  const auto set = [](sonde_wire_side_state& side, const Endpoint& source, const Endpoint& destination) {
    const auto flow = wire_flow(source, destination);
    std::ranges::copy(flow.source, side.source);
    std::ranges::copy(flow.destination, side.destination);
    side.source_port = flow.source_port;
    side.destination_port = flow.destination_port;
  };
  set(connection.sides[SONDE_WIRE_CLIENT], ends.proxy_to_upstream, ends.upstream);
  set(connection.sides[SONDE_WIRE_UPSTREAM], ends.proxy_to_client, ends.client);
  EXPECT_EQ(ends_of(connection).client, ends.client);
  EXPECT_EQ(ends_of(connection).upstream, ends.upstream);

  const auto from_client = wire_flow(ends.client, ends.proxy_to_client);
  const auto from_upstream = wire_flow(ends.upstream, ends.proxy_to_upstream);
  sonde_wire_place place{*index, SONDE_WIRE_CLIENT};
  ASSERT_TRUE(kernel::map_update(table->flows_fd(), &from_client, &place));
  place = {*index + 1, SONDE_WIRE_UPSTREAM};  // of one that came later
  ASSERT_TRUE(kernel::map_update(table->flows_fd(), &from_upstream, &place));
  ASSERT_TRUE(table->write_record(*index, "of the first"));
  table->free(*index);
  EXPECT_FALSE(*kernel::map_lookup(table->flows_fd(), &from_client, &place));
  EXPECT_TRUE(*kernel::map_lookup(table->flows_fd(), &from_upstream, &place));
  sonde_wire_record_key key{};
  EXPECT_FALSE(*kernel::map_next_key(table->records_fd(), nullptr, &key));
}

TEST_F(TableTest, records_come_back_as_they_were) {
  auto table = open(2);
  ASSERT_TRUE(table) << error_;
  const auto index = table->take();
  ASSERT_TRUE(index);
  for (const std::size_t size : {0, 1, 127, 128, 129, 256, 600}) {
    std::string record(size, '\0');
    for (std::size_t i = 0; i < size; ++i) record[i] = static_cast<char>(i * 7);
    if (size > 0) record.back() = '\0';  // the padding is zero too
    ASSERT_TRUE(table->write_record(*index, record)) << size;
    EXPECT_EQ(table->at(*index).record_parts, (size + 127) / 128);
    const auto read = table->read_record(*index);
    ASSERT_TRUE(read) << size;
    EXPECT_EQ(*read, record) << size;
  }
  ASSERT_TRUE(table->write_record(*index, "short"));
  EXPECT_EQ(*table->read_record(*index), "short");
  std::uint32_t parts = 0;
  sonde_wire_record_key key{};
  for (bool more = *kernel::map_next_key(table->records_fd(), nullptr, &key); more;
       more = *kernel::map_next_key(table->records_fd(), &key, &key))
    ++parts;
  EXPECT_EQ(parts, 1U) << "parts of longer records are left";
}

TEST_F(TableTest, a_record_without_room_leaves_nothing_half_written) {
  auto table = open(2);  // 8 parts
  ASSERT_TRUE(table) << error_;
  const auto first = table->take();
  const auto second = table->take();
  ASSERT_TRUE(first && second);
  ASSERT_TRUE(table->write_record(*first, std::string(128 * 6, 'a')));
  EXPECT_FALSE(table->write_record(*second, std::string(128 * 4, 'b')));
  EXPECT_EQ(table->at(*second).record_parts, 0U);
  EXPECT_EQ(*table->read_record(*second), "");
  EXPECT_TRUE(table->write_record(*second, std::string(128 * 2, 'b')));
  EXPECT_EQ(*table->read_record(*first), std::string(128 * 6, 'a'));
}

TEST_F(TableTest, another_process_finds_what_is_there) {
  auto first = open(4);
  ASSERT_TRUE(first) << error_;
  const auto index = first->take();
  ASSERT_TRUE(index);
  ASSERT_TRUE(first->write_record(*index, "what it was"));
  const auto id = first->at(*index).id;
  first.reset();

  auto second = open(4);
  ASSERT_TRUE(second) << error_;
  EXPECT_EQ(second->used(), 1U);
  EXPECT_EQ(second->at(*index).id, id);
  EXPECT_EQ(*second->read_record(*index), "what it was");
  EXPECT_NE(second->take(), index);
}

TEST_F(TableTest, one_process_keeps_it) {
  auto first = open(4);
  auto second = open(4);
  ASSERT_TRUE(first && second) << error_;
  EXPECT_TRUE(first->keep());
  EXPECT_TRUE(first->keep());
  EXPECT_FALSE(second->keep());
  first->stop_keeping();
  EXPECT_TRUE(second->keep());
  EXPECT_FALSE(first->keep());
  second.reset();
  EXPECT_TRUE(first->keep());
}

TEST_F(TableTest, another_capacity_waits_for_the_connections) {
  auto first = open(4);
  ASSERT_TRUE(first) << error_;
  const auto index = first->take();
  ASSERT_TRUE(index);
  EXPECT_EQ(open(8)->capacity(), 4U) << "it holds a connection";
  first->free(*index);
  ASSERT_TRUE(first->keep());
  EXPECT_EQ(open(8)->capacity(), 4U) << "somebody keeps it";
  first.reset();
  EXPECT_EQ(open(8)->capacity(), 8U);
  EXPECT_EQ(open(4)->capacity(), 4U);
}

TEST_F(TableTest, another_version_waits_for_the_connections) {
  auto table = open(4);
  ASSERT_TRUE(table) << error_;
  const auto directory = table->directory();
  const auto flow = wire_flow(ipv4(1, 1), ipv4(2, 2));
  const sonde_wire_place place{};
  ASSERT_TRUE(kernel::map_update(table->flows_fd(), &flow, &place));
  table.reset();
  {
    auto pinned = open_pinned_maps(directory);
    ASSERT_TRUE(pinned && *pinned && (*pinned)->maps);
    (*pinned)->maps->facts().version = 77;
  }
  EXPECT_FALSE(open(4));
  EXPECT_THAT(error_, testing::HasSubstr("of another version of sonde (77, this one has 1), and it holds connections"));
  {
    auto pinned = open_pinned_maps(directory);
    ASSERT_TRUE(pinned && *pinned);
    EXPECT_EQ((*pinned)->version, 77U);
    EXPECT_TRUE((*pinned)->holds_connections);
    const auto flows = kernel::open_pin(directory + "/FLOWS");
    ASSERT_TRUE(flows && *flows && kernel::map_delete(flows->get(), &flow));
  }
  table = open(4);
  ASSERT_TRUE(table) << error_;
  EXPECT_EQ(table->used(), 0U);
}

TEST_F(TableTest, two_processes_never_take_the_same) {
  constexpr std::uint32_t capacity = 64;
  constexpr int processes = 3;
  constexpr int rounds = 3000;
  auto table = open(capacity);
  ASSERT_TRUE(table) << error_;
  // How many hold each element, and how often somebody has found that it was not alone.
  struct Shared {
    std::atomic<int> holders[capacity];
    std::atomic<int> clashes, taken;
  };
  auto* const shared =
      static_cast<Shared*>(::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  ASSERT_NE(shared, MAP_FAILED);
  std::vector<pid_t> children;
  for (int i = 0; i < processes; ++i) {
    const auto child = ::fork();
    if (child == 0) {
      auto own = open(capacity);
      for (int round = 0; own && round < rounds; ++round) {
        const auto index = own->take();
        if (!index) {
          std::this_thread::sleep_for(1ms);
          continue;
        }
        ++shared->taken;
        if (++shared->holders[*index] != 1 || own->at(*index).owner != static_cast<std::uint32_t>(::getpid()))
          ++shared->clashes;
        --shared->holders[*index];
        own->free(*index);
      }
      ::_exit(own ? 0 : 1);
    }
    children.push_back(child);
  }
  for (const auto child : children) {
    int status = -1;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(shared->clashes, 0);
  EXPECT_GT(shared->taken, 3 * static_cast<int>(capacity)) << "elements come round";
  EXPECT_LE(table->used(), capacity);
  EXPECT_EQ(table->count(), 0U);
  ::munmap(shared, sizeof(Shared));
}

// Tables of other network namespaces, after a minute.
TEST_F(TableTest, those_that_nobody_needs_any_more_are_removed) {
  const auto old = [](const std::unique_ptr<Table>& table) {
    const timespec long_ago[2] = {{.tv_sec = 1, .tv_nsec = 0}, {.tv_sec = 1, .tv_nsec = 0}};
    EXPECT_EQ(::utimensat(AT_FDCWD, table->directory().c_str(), long_ago, 0), 0);
  };
  const auto is_there = [](const std::string& directory) {
    struct stat status {};
    return ::stat((directory + "/TABLE").c_str(), &status) == 0;
  };
  auto table = open(4);
  ASSERT_TRUE(table) << error_;
  const auto directory = table->directory();
  const NetworkNamespace elsewhere;
  const auto open_another = [&] {
    elsewhere.call([] {
      const auto another = Table::open(4);
      ASSERT_TRUE(another) << another.error().text();
      EXPECT_TRUE((*another)->unpin());
    });
  };
  open_another();
  EXPECT_TRUE(is_there(directory)) << "it has just been opened";
  old(table);
  ASSERT_TRUE(table->keep());
  open_another();
  EXPECT_TRUE(is_there(directory)) << "it is kept";
  table->stop_keeping();
  const auto flow = wire_flow(ipv4(1, 1), ipv4(2, 2));
  const sonde_wire_place place{};
  ASSERT_TRUE(kernel::map_update(table->flows_fd(), &flow, &place));
  open_another();
  EXPECT_TRUE(is_there(directory)) << "it holds a connection";
  ASSERT_TRUE(kernel::map_delete(table->flows_fd(), &flow));
  open_another();
  EXPECT_FALSE(is_there(directory));
}

// Who starts in another network namespace looks through the tables of all.
TEST_F(TableTest, who_opens_another_table_never_keeps_this_one) {
  const NetworkNamespace elsewhere;
  auto table = open(8);
  std::atomic<bool> over = false;
  std::thread others([&] {
    elsewhere.call([&] {
      for (int i = 0; i < 3000; ++i) EXPECT_TRUE(Table::open(8));
      EXPECT_TRUE((*Table::find())->unpin());
    });
    over = true;
  });
  int kept = 0, tried = 0;
  for (; !over; ++tried) {
    kept += table->keep();
    table->stop_keeping();
  }
  others.join();
  EXPECT_EQ(kept, tried);
}

TEST_F(TableTest, a_private_one_leaves_no_pin) {
  where_.call([] {
    auto table = Table::make_private(4);
    ASSERT_TRUE(table) << table.error().text();
    EXPECT_EQ((*table)->directory(), "");
    EXPECT_TRUE((*table)->keep());
    EXPECT_TRUE((*table)->take());
    const auto found = Table::find();
    ASSERT_TRUE(found);
    EXPECT_EQ(*found, nullptr);
    const auto statistics = (*table)->statistics();
    ASSERT_TRUE(statistics);
    EXPECT_EQ(statistics->packets, 0U);
  });
}

TEST_F(TableTest, the_reachable_directory_needs_no_search_of_the_path) {
  auto table = open(4);
  ASSERT_TRUE(table) << error_;
  ASSERT_EQ(::chown(table->directory().c_str(), 65534, 65534), 0);
  const auto child = ::fork();
  if (child == 0) {
    const bool dropped = ::setresgid(65534, 65534, 65534) == 0 && ::setresuid(65534, 65534, 65534) == 0;
    const bool keeps = dropped && table->keep();
    struct stat status {};
    const bool reached = ::stat((table->reachable_directory() + "/FLOWS").c_str(), &status) == 0;
    ::_exit(keeps && reached ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace sonde::proxy
