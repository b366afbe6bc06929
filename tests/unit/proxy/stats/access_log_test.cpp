// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/stats/access_log.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

#include "actuators/proxy/stats/record_line.hpp"
#include "addresses.hpp"
#include "harness/process.hpp"

namespace sonde::proxy {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using test::lines_of;
using test::read_file;

ConnectionRecord relayed() {
  ConnectionRecord record;
  record.accepted_wall_ns = 1'764'000'000'123'456'789;
  record.client = at("192.0.2.1", 40001);
  record.peer = record.client;
  record.listener = at("2001:db8::1", 443);
  record.server_name = "a.example";
  record.alpn = "h2,http/1.1";
  record.ja4 = "t13d1516h2_8daaf6152771_b186095e22b6";
  record.route = "whitelist";
  record.upstream = "a.example:443";
  record.upstream_address = at("198.51.100.1", 443);
  record.path = ProxyForwarding::splice;
  record.bytes_received = 517;
  record.bytes_sent = 1'000'000;
  record.hello = 1500us;
  record.resolved = 2ms;
  record.connected = 3ms;
  record.total = 4s;
  record.end = "client-closed";
  return record;
}

TEST(AccessLine, OfARelayedConnection) {
  const std::string line = record_line(relayed());
  EXPECT_EQ(line.back(), '\n');
  EXPECT_EQ(json::parse(line), json::parse(R"({
    "time": "2025-11-24T16:00:00.123456789Z", "client": "192.0.2.1:40001", "listener": "[2001:db8::1]:443",
    "server_name": "a.example", "alpn": "h2,http/1.1", "ja4": "t13d1516h2_8daaf6152771_b186095e22b6",
    "route": "whitelist", "upstream": "a.example:443", "upstream_address": "198.51.100.1:443", "path": "splice",
    "bytes_received": 517, "bytes_sent": 1000000, "bytes_by_kernel": 0, "hello_ms": 1.5, "resolved_ms": 2.0,
    "connected_ms": 3.0, "duration_ms": 4000.0, "end": "client-closed"})"));
}

TEST(AccessLine, OfARefusedOneBehindAnotherProxy) {
  ConnectionRecord record;
  record.accepted_wall_ns = 1;
  record.client = at("192.0.2.1", 40001);
  record.peer = at("10.0.0.1", 5);
  record.listener = at("10.0.0.2", 443);
  record.total = 1ms;
  record.refusal = Refusal::plain_http;
  EXPECT_EQ(json::parse(record_line(record)), json::parse(R"({
    "time": "1970-01-01T00:00:00.000000001Z", "client": "192.0.2.1:40001", "peer": "10.0.0.1:5",
    "listener": "10.0.0.2:443", "bytes_received": 0, "bytes_sent": 0, "bytes_by_kernel": 0, "duration_ms": 1.0,
    "refused": "plain-http"})"));
}

TEST(AccessLine, WhateverAClientSendsItIsOneLineOfJson) {
  ConnectionRecord record = relayed();
  const std::vector<std::string> sent = {
      "a\"b", "a\\b", "a\nb", "\x80\xff", "\x7f", "\xc3\xa9", std::string("\0x", 2), "\xed\xa0\x80", "</script>"};
  for (const auto& text : sent) {
    record.alpn = record.detail = text + "x";
    const std::string line = record_line(record);
    EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
    const json parsed = json::parse(line, nullptr, false);
    ASSERT_FALSE(parsed.is_discarded()) << line;
    EXPECT_EQ(parsed["alpn"], parsed["detail"]);
  }
  record.detail = "a\"b\\\n\xc3\xa9";
  EXPECT_EQ(json::parse(record_line(record))["detail"], record.detail);
}

TEST(AccessLog, LinesOfThreadsAreAllThere) {
  const test::TemporaryFile file(".log");
  {
    auto log = AccessLog::open(file.path());
    ASSERT_TRUE(log) << log.error().text();
    std::vector<std::thread> threads;
    for (int thread = 0; thread < 4; ++thread)
      threads.emplace_back([&log, thread] {
        for (int i = 0; i < 5000; ++i) (*log)->add(std::to_string(thread * 5000 + i) + "\n");
      });
    for (auto& thread : threads) thread.join();
    EXPECT_EQ((*log)->lost(), 0U);
  }
  std::vector<bool> seen(20'000);
  for (const auto& line : lines_of(read_file(file.path()))) seen.at(std::stoul(line)) = true;
  EXPECT_EQ(std::count(seen.begin(), seen.end(), true), 20'000);
  EXPECT_EQ(lines_of(read_file(file.path())).size(), 20'000U);
}

TEST(AccessLog, ALineIsThereSoon) {
  const test::TemporaryFile file(".log");
  auto log = AccessLog::open(file.path());
  ASSERT_TRUE(log);
  (*log)->add("now\n");
  for (int i = 0; i < 2000 && read_file(file.path()).empty(); ++i) std::this_thread::sleep_for(5ms);
  EXPECT_EQ(read_file(file.path()), "now\n");
}

TEST(AccessLog, ReopenedAfterItWasRenamed) {
  const test::TemporaryFile file(".log");
  const test::TemporaryFile old(".log.1");
  {
    auto log = AccessLog::open(file.path());
    ASSERT_TRUE(log);
    (*log)->add("one\n");
    std::this_thread::sleep_for(50ms);
    std::filesystem::rename(file.path(), old.path());
    (*log)->add("two\n");
    ASSERT_TRUE((*log)->reopen());
    (*log)->add("three\n");
  }
  EXPECT_EQ(read_file(old.path()), "one\ntwo\n");
  EXPECT_EQ(read_file(file.path()), "three\n");
}

// A pipe that nobody reads is a disk that hangs.
TEST(AccessLog, ASlowDiskDelaysNobodyAndWhatIsLostIsCounted) {
  const test::TemporaryFile file(".fifo");
  ASSERT_EQ(::mkfifo(file.path().c_str(), 0600), 0);
  const Fd reader(::open(file.path().c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  constexpr std::uint64_t count = 30'000;
  const std::string line(99, 'x');
  std::uint64_t lost = 0;
  std::string read;
  {
    auto log = AccessLog::open(file.path(), 1'000'000);
    ASSERT_TRUE(log) << log.error().text();
    auto slowest = 0ns;
    for (std::uint64_t i = 0; i < count; ++i) {
      const auto before = std::chrono::steady_clock::now();
      (*log)->add(line + "\n");
      slowest = std::max<std::chrono::nanoseconds>(slowest, std::chrono::steady_clock::now() - before);
    }
    EXPECT_LT(slowest, 1s) << "the pipe never takes more than 64 KiB";
    lost = (*log)->lost();
    EXPECT_GT(lost, count - 2 * 1'000'000 / 100 - 700);
    EXPECT_LT(lost, count);
    std::thread drain([&] {
      char bytes[65536];
      for (;;) {
        const auto size = ::read(reader.get(), bytes, sizeof(bytes));
        if (size > 0) read.append(bytes, static_cast<std::size_t>(size));
        if (size == 0) return;  // the writer has closed it
        if (size < 0) std::this_thread::sleep_for(1ms);
      }
    });
    log->reset();
    drain.join();
  }
  EXPECT_EQ(lines_of(read).size() + lost, count);
  for (const auto& one : lines_of(read)) ASSERT_EQ(one, line);
}

TEST(AccessLog, AFullDiskCutsNoLineInTwoAndIsCounted) {
  const test::TemporaryFile file(".log");
  rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old), 0);
  std::signal(SIGXFSZ, SIG_IGN);
  auto log = AccessLog::open(file.path());
  ASSERT_TRUE(log);
  const rlimit tight{.rlim_cur = 25, .rlim_max = old.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &tight), 0);
  for (int i = 0; i < 5; ++i) (*log)->add("123456789\n");
  for (int i = 0; i < 2000 && (*log)->written() + (*log)->lost() < 5; ++i) std::this_thread::sleep_for(5ms);
  EXPECT_EQ((*log)->written(), 2U);
  EXPECT_EQ((*log)->lost(), 3U);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &old), 0);
  (*log)->add("after\n");
  log->reset();
  EXPECT_EQ(read_file(file.path()), "123456789\n123456789\n12345\nafter\n");
}

}  // namespace
}  // namespace sonde::proxy
