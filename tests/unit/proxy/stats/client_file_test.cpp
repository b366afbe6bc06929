// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/stats/client_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "actuators/proxy/process/log.hpp"
#include "addresses.hpp"
#include "harness/process.hpp"

namespace sonde::proxy {
namespace {

using nlohmann::json;
using testing::HasSubstr;

constexpr std::int64_t now = 1'764'000'000;

ClientSums some() {
  return {.clients = {{.client = at("192.0.2.1"),
                       .traffic = {.connections = 3, .received = 10, .sent = 20},
                       .last_active = now - 5},
                      {.client = at("2001:db8::1"),
                       .traffic = {.connections = 1, .received = ~std::uint64_t{0}, .sent = 0},
                       .last_active = now}},
          .others = {.connections = 7, .received = 8, .sent = 9},
          .departures = 4};
}

TEST(ClientFile, PersistentRoundTrip) {
  const auto read = parse_persistent(persistent_text(some(), now));
  ASSERT_TRUE(read) << read.error().text();
  const ClientSums expected = some();
  ASSERT_EQ(read->clients.size(), 2U);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(read->clients[i].client, expected.clients[i].client);
    EXPECT_EQ(read->clients[i].traffic, expected.clients[i].traffic);
    EXPECT_EQ(read->clients[i].last_active, expected.clients[i].last_active);
  }
  EXPECT_EQ(read->others, expected.others);
}

// As the original sni-proxy writes it.
TEST(ClientFile, AFileOfTheOriginalIsRead) {
  const auto read = parse_persistent(R"({
  "stats": {
    "192.168.1.100": { "bytes_received": 100, "bytes_sent": 200, "connections": 3 },
    "::1": { "bytes_received": 1, "bytes_sent": 2, "connections": 1 }
  },
  "saved_at": 1733200000
})");
  ASSERT_TRUE(read) << read.error().text();
  ASSERT_EQ(read->clients.size(), 2U);
  EXPECT_EQ(read->clients[0].client, at("192.168.1.100"));
  EXPECT_EQ(read->clients[0].traffic, (Traffic{.connections = 3, .received = 100, .sent = 200}));
  EXPECT_EQ(read->clients[1].client, at("::1"));
  EXPECT_EQ(read->others, Traffic{});
}

TEST(ClientFile, BrokenTextsAreNotGuessedAt) {
  for (const auto& [text, complaint] : std::vector<std::pair<std::string, std::string>>{
           {"{\"stats\": {", "is not JSON"},
           {std::string(100, '\0'), "is not JSON"},
           {"[]", "has no object \"stats\""},
           {"{}", "has no object \"stats\""},
           {R"({"stats": {"localhost": {}}})", "stats: \"localhost\": expected an address"},
           {R"({"stats": {"192.0.2.1": {"bytes_sent": -1}}})", "stats: \"192.0.2.1\": expected numbers"},
           {R"({"stats": {"192.0.2.1": {"bytes_sent": 1.5}}})", "stats: \"192.0.2.1\": expected numbers"},
           {R"({"stats": {"192.0.2.1": {"bytes_sent": "1"}}})", "stats: \"192.0.2.1\": expected numbers"},
           {R"({"stats": {"192.0.2.1": 5}})", "stats: \"192.0.2.1\": expected numbers"},
           {R"({"stats": {}, "others": []})", "others: expected numbers"}}) {
    const auto read = parse_persistent(text);
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().message, complaint);
  }
  EXPECT_TRUE(parse_persistent("\n"));
}

TEST(ClientFile, ForReaders) {
  EXPECT_EQ(json::parse(client_file_text(some(), 100, now * 1'000'000'000)), json::parse(R"({
    "written_at": "2025-11-24T16:00:00.000000000Z",
    "max_tracked_ips": 100,
    "clients": [
      {"address": "2001:db8::1", "bytes_received": 18446744073709551615, "bytes_sent": 0, "connections": 1,
       "bytes_total": 18446744073709551615, "last_active": "2025-11-24T16:00:00.000000000Z"},
      {"address": "192.0.2.1", "bytes_received": 10, "bytes_sent": 20, "connections": 3, "bytes_total": 30,
       "last_active": "2025-11-24T15:59:55.000000000Z"}],
    "others": {"bytes_received": 8, "bytes_sent": 9, "connections": 7, "departures": 4},
    "total": {"bytes_received": 17, "bytes_sent": 29, "connections": 11}})"));
}

struct ClientFileTest : testing::Test {
  ClientFileTest() { std::filesystem::create_directory(folder); }
  ~ClientFileTest() override { std::filesystem::remove_all(folder); }
  std::string folder = std::filesystem::temp_directory_path() / ("sonde-clients-" + std::to_string(::getpid()));
  std::string path = folder + "/clients.json";
};

TEST_F(ClientFileTest, OutlivesTheProcess) {
  {
    auto file = StateFile::open(path);
    ClientTraffic clients(2);
    ASSERT_TRUE(load_clients(*file, clients));
    for (const char* client : {"192.0.2.1", "192.0.2.2", "192.0.2.3"})
      clients.add(at(client), {.connections = 1, .received = 10, .sent = 100}, now);
    ASSERT_TRUE(save_clients(*file, clients, now));
    ASSERT_TRUE(save_clients(*file, clients, now));  // nothing is added twice
  }
  auto file = StateFile::open(path);
  ClientTraffic clients(5);
  ASSERT_TRUE(load_clients(*file, clients));
  clients.add(at("192.0.2.3"), {.connections = 1, .received = 1, .sent = 1}, now + 1);
  const ClientSums sums = clients.sums();
  EXPECT_EQ(sums.clients.size(), 2U);
  EXPECT_EQ(sums.others, (Traffic{.connections = 1, .received = 10, .sent = 100}));
  EXPECT_EQ(sums.total(), (Traffic{.connections = 4, .received = 31, .sent = 301}));
  EXPECT_EQ(sums.clients[0].traffic, (Traffic{.connections = 2, .received = 11, .sent = 101}));
}

// The old proxy has connections for a while after the new one has begun.
TEST_F(ClientFileTest, TwoProxiesWriteOneFile) {
  auto old_file = StateFile::open(path);
  auto new_file = StateFile::open(path);
  ClientTraffic old_clients(10);
  ClientTraffic new_clients(10);
  ASSERT_TRUE(load_clients(*old_file, old_clients));
  old_clients.add(at("192.0.2.1"), {.connections = 1, .received = 1, .sent = 0}, now);
  ASSERT_TRUE(save_clients(*old_file, old_clients, now));
  ASSERT_TRUE(load_clients(*new_file, new_clients));
  old_clients.add(at("192.0.2.1"), {.connections = 0, .received = 10, .sent = 0}, now);
  new_clients.add(at("192.0.2.1"), {.connections = 1, .received = 100, .sent = 0}, now);
  ASSERT_TRUE(save_clients(*new_file, new_clients, now));
  ASSERT_TRUE(save_clients(*old_file, old_clients, now));  // its last words
  new_clients.add(at("192.0.2.1"), {.connections = 0, .received = 1000, .sent = 0}, now);
  ASSERT_TRUE(save_clients(*new_file, new_clients, now));
  EXPECT_EQ(json::parse(test::read_file(path))["stats"]["192.0.2.1"]["bytes_received"], 1111);
  EXPECT_EQ(new_clients.sums().total(), (Traffic{.connections = 2, .received = 1111, .sent = 0}));
}

TEST_F(ClientFileTest, ABrokenOneIsSetAsideWithAWarning) {
  ProxyLog config;
  config.output = "file";
  config.file_path = folder + "/proxy.log";
  ASSERT_TRUE(open_log(config));
  auto file = StateFile::open(path);
  ASSERT_TRUE(file->write("{\"stats\": {", false));
  ClientTraffic clients(2);
  ASSERT_TRUE(load_clients(*file, clients));
  clients.add(at("192.0.2.1"), {.connections = 1, .received = 1, .sent = 1}, now);
  ASSERT_TRUE(save_clients(*file, clients, now));
  EXPECT_TRUE(open_log({.level = "off", .output = "stdout", .file_path = ""}));
  int aside = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path();
    if (!name.starts_with(path + ".broken-")) continue;
    ++aside;
    EXPECT_EQ(test::read_file(name), "{\"stats\": {");
    EXPECT_THAT(test::read_file(config.file_path),
                HasSubstr("WARN  [statistics] " + path + ": is not JSON; set aside as " + name));
  }
  EXPECT_EQ(aside, 1);
  EXPECT_EQ(json::parse(test::read_file(path))["stats"]["192.0.2.1"]["connections"], 1);
}

}  // namespace
}  // namespace sonde::proxy
