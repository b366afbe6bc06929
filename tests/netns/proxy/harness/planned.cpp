// SPDX-License-Identifier: Apache-2.0
#include "planned.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <map>

namespace sonde::test {
namespace {

using Reports = std::map<std::uint64_t, Json>;

Reports reports_of(const Peer& peer) {
  Reports reports;
  for (const auto& line : peer.lines_with("side")) reports[line.at("number").get<std::uint64_t>()] = line;
  return reports;
}

// Everything arrived, and both ends were told.
void expect_whole(const Json& client, const Json& upstream) {
  const auto what = client.dump() + "\n" + upstream.dump();
  EXPECT_EQ(client["sent"], client["up"]) << what;
  EXPECT_EQ(upstream["received"], client["up"]) << what;
  EXPECT_EQ(upstream["sent"], client["down"]) << what;
  EXPECT_EQ(client["received"], client["down"]) << what;
  EXPECT_EQ(client["end"], "eof") << what;
  EXPECT_EQ(upstream["end"], "eof") << what;
}

// A reset may overtake bytes, and destroys those that nobody has read.
void expect_aborted(const Json& who, const Json& other) {
  const auto what = who.dump() + "\n" + other.dump();
  EXPECT_EQ(other["end"], "reset") << what;
  EXPECT_LE(other["received"], who["sent"]) << what;
}

void expect_connection(const Planned& planned, const Json& client, const Json& upstream) {
  const auto what = client.dump() + "\n" + upstream.dump();
  EXPECT_EQ(client["matches"], true) << what;
  EXPECT_EQ(upstream["matches"], true) << what;
  EXPECT_EQ(client["hello"], upstream["hello"]) << what;
  if (!planned.aborts && client["kind"].get<std::string>().ends_with("aborts")) return;
  if (client["kind"] == "client_aborts")
    expect_aborted(client, upstream);
  else if (client["kind"] == "upstream_aborts")
    expect_aborted(upstream, client);
  else
    expect_whole(client, upstream);
}

void add(PlannedSums& sums, const Json& client, const Json& upstream) {
  ++sums.connections;
  sums.aborted += client["kind"] == "client_aborts" || client["kind"] == "upstream_aborts";
  sums.sent_by_clients += client["sent"].get<std::uint64_t>();
  sums.received_by_clients += client["received"].get<std::uint64_t>();
  sums.sent_by_upstream += upstream["sent"].get<std::uint64_t>();
  sums.received_by_upstream += upstream["received"].get<std::uint64_t>();
}

}  // namespace

PlannedSums run_planned(const Planned& planned) {
  using namespace std::chrono_literals;
  Peer upstream(planned.upstream, {"upstream", planned.upstream_address, planned.upstream_port, planned.header});
  upstream.expect("listening");
  Peer clients(planned.client, {"clients", planned.proxy_address, planned.proxy_port, planned.name, "1",
                                std::to_string(planned.count), std::to_string(planned.at_once)});
  clients.finish(15min);
  const auto of_clients = reports_of(clients);
  EXPECT_EQ(of_clients.size(), static_cast<std::size_t>(planned.count));
  Reports of_upstream;
  // A client that aborts at once may be gone before its hello was read: then there is no connection to the upstream.
  (void)eventually([&] { return (of_upstream = reports_of(upstream)).size() >= of_clients.size(); }, 5s);
  PlannedSums sums;
  for (const auto& [number, client] : of_clients) {
    const auto other = of_upstream.find(number);
    EXPECT_TRUE(client.contains("matches")) << client;
    if (other != of_upstream.end() && client.contains("matches")) {
      expect_connection(planned, client, other->second);
      add(sums, client, other->second);
    } else {
      EXPECT_EQ(client["kind"], "client_aborts") << "no report of the upstream: " << client;
    }
    if (::testing::Test::HasFailure() && sums.connections > 20) break;
  }
  return sums;
}

}  // namespace sonde::test
