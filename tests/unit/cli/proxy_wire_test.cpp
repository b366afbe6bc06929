// SPDX-License-Identifier: Apache-2.0
// How `sonde proxy connections` shows what is on the wire.
#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "proxy/wire_table.hpp"

namespace sonde::cli {
namespace {

using namespace std::chrono_literals;

Endpoint endpoint(const char* address, std::uint16_t port) {
  Endpoint made;
  made.port = port;
  if (::inet_pton(AF_INET6, address, made.address.data()) == 1) return made;
  made.address[10] = made.address[11] = 0xff;
  EXPECT_EQ(::inet_pton(AF_INET, address, made.address.data() + 12), 1) << address;
  return made;
}

std::vector<ProxyWireConnection> three() {
  ProxyWireConnection download{.id = 7,
                               .state = ProxyWireState::spliced,
                               .client = endpoint("192.0.2.10", 50000),
                               .listener = endpoint("198.51.100.1", 443),
                               .proxy = endpoint("10.0.0.1", 40000),
                               .upstream = endpoint("10.0.0.2", 8443),
                               .server_name = "shop.example",
                               .route = "shop",
                               .age = 3661s,
                               .idle = 250ms,
                               .from_client = {.bytes = 999, .packets = 12, .repeated = 1, .ended = false},
                               .from_upstream = {.bytes = 5'000'000'000, .packets = 3'400'000, .repeated = 0}};
  ProxyWireConnection unknown{.id = 8,
                              .state = ProxyWireState::half_closed,
                              .client = endpoint("2001:db8::7", 50001),
                              .listener = endpoint("2001:db8::1", 443),
                              .proxy = endpoint("2001:db8:1::1", 40001),
                              .upstream = endpoint("2001:db8:1::2", 8443),
                              .server_name = {},
                              .route = {},
                              .age = 59'999ms,
                              .idle = 9'999ms,
                              .from_client = {.bytes = 999'949, .packets = 700, .repeated = 40, .ended = true},
                              .from_upstream = {}};
  auto aborted = unknown;
  aborted.id = 9;
  aborted.client = endpoint("192.0.2.9", 1);
  aborted.state = ProxyWireState::aborted;
  aborted.age = 90'000s;
  aborted.idle = 0s;
  aborted.from_client = {};
  return {download, unknown, aborted};
}

TEST(ProxyWireTable, HasARowAConnectionAndItsSums) {
  EXPECT_EQ(
      wire_table_text(three(), false),
      "CLIENT               LISTENER           UPSTREAM              NAME          STATE          AGE  IDLE  RECEIVED "
      " "
      "PACKETS  REPEATED    SENT  PACKETS  REPEATED\n"
      "192.0.2.10:50000     198.51.100.1:443   10.0.0.2:8443         shop.example  spliced      1h01m  0.2s     999 B  "
      "     12         1  5.0 GB  3400000         0\n"
      "[2001:db8::7]:50001  [2001:db8::1]:443  [2001:db8:1::2]:8443  -             half-closed    59s  9.9s  999.9 kB  "
      "    700        40     0 B        0         0\n"
      "192.0.2.9:1          [2001:db8::1]:443  [2001:db8:1::2]:8443  -             aborted      1d01h  0.0s       0 B  "
      "      0         0     0 B        0         0\n"
      "\n"
      "3 on the wire: 1 spliced, 1 half-closed, 1 aborted; 1.0 MB from clients, 5.0 GB to them\n");
}

TEST(ProxyWireTable, ColorsTheHeadingAndWhatWasAborted) {
  const auto text = wire_table_text(three(), true);
  EXPECT_EQ(text.find("\033[1mCLIENT"), 0U);
  EXPECT_NE(text.find("\n\033[1;31m192.0.2.9:1"), std::string::npos);
  EXPECT_NE(text.find("\n192.0.2.10"), std::string::npos);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\033'), 4);
}

TEST(ProxyWireTable, LeavesColumnsOutWhereThereIsNoRoom) {
  const auto all = three();
  EXPECT_EQ(wire_table_text(all, false, 162), wire_table_text(all, false));
  EXPECT_EQ(wire_table_text({all.data(), 1}, false, 80),
            "CLIENT            UPSTREAM       NAME          STATE      AGE  RECEIVED    SENT\n"
            "192.0.2.10:50000  10.0.0.2:8443  shop.example  spliced  1h01m     999 B  5.0 GB\n"
            "\n"
            "1 on the wire: 1 spliced; 999 B from clients, 5.0 GB to them\n"
            "left out, as the terminal is narrow: LISTENER, PACKETS, IDLE, REPEATED\n");
  const auto narrow = wire_table_text(all, false, 1);
  EXPECT_EQ(narrow.substr(0, narrow.find('\n')), "CLIENT               UPSTREAM              RECEIVED    SENT");
}

TEST(ProxyWireTable, SaysThatThereIsNone) {
  EXPECT_EQ(wire_table_text({}, true), "no connection is on the wire in this network namespace\n");
  EXPECT_EQ(wire_table_json({}), "");
}

TEST(ProxyWireTable, IsAnObjectALine) {
  const auto text = wire_table_json(three());
  std::vector<nlohmann::json> objects;
  for (std::size_t at = 0; at < text.size(); at = text.find('\n', at) + 1)
    objects.push_back(nlohmann::json::parse(text.substr(at, text.find('\n', at) - at)));
  ASSERT_EQ(objects.size(), 3U);
  EXPECT_EQ(objects[0], nlohmann::json::parse(R"({"type": "wire_connection", "id": 7, "state": "spliced",
    "client": "192.0.2.10:50000", "listener": "198.51.100.1:443", "proxy": "10.0.0.1:40000",
    "upstream": "10.0.0.2:8443", "server_name": "shop.example", "route": "shop", "age": 3661.0, "idle": 0.25,
    "from_client": {"bytes": 999, "packets": 12, "repeated": 1, "ended": false},
    "from_upstream": {"bytes": 5000000000, "packets": 3400000, "repeated": 0, "ended": false}})"));
  EXPECT_EQ(objects[1]["client"], "[2001:db8::7]:50001");
  EXPECT_TRUE(objects[1]["from_client"]["ended"]);
  EXPECT_FALSE(objects[1].contains("server_name"));
  EXPECT_FALSE(objects[1].contains("route"));
}

std::string order_by(const std::string& word) {
  auto connections = three();
  std::ranges::reverse(connections);
  const auto sorted = sort_wire_connections(connections, word);
  EXPECT_TRUE(sorted) << word;
  std::string order;
  for (const auto& connection : connections) order += std::to_string(connection.id);
  return order;
}

TEST(ProxyWireTable, IsSorted) {
  EXPECT_EQ(order_by("bytes"), "789");
  EXPECT_EQ(order_by("packets"), "789");
  EXPECT_EQ(order_by("repeated"), "879");
  EXPECT_EQ(order_by("age"), "978");
  EXPECT_EQ(order_by("idle"), "879");
  EXPECT_EQ(order_by("client"), "978");
  std::vector<ProxyWireConnection> none;
  const auto unknown = sort_wire_connections(none, "name");
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().kind, ErrorKind::usage);
  EXPECT_EQ(unknown.error().message,
            "proxy connections: --sort 'name': expected one of bytes, packets, repeated, age, idle, client");
}

}  // namespace
}  // namespace sonde::cli
