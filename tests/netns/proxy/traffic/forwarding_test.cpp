// SPDX-License-Identifier: Apache-2.0
// Every path carries exactly the same bytes: 1,000 connections with random sizes, pauses, half-closes and aborts, both
// directions compared byte by byte, and the numbers that the proxy gives are those of the ends.
#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "hosts.hpp"
#include "planned.hpp"

namespace sonde::test {
namespace {

const Json& path_of(const Json& status, const std::string& name) {
  for (const auto& path : status.at("forwarding"))
    if (path.at("path") == name) return path;
  throw std::runtime_error("no path " + name + " in " + status.dump());
}

// A path that the kernel has not got is off, and says why; then there is nothing to test.
bool is_off(const Proxied& proxy, const std::string& name) {
  const auto status = proxy.status();
  const auto& path = path_of(status, name);
  return path.contains("on") && path.at("on") == false;
}

// Bytes of connections that ended well are known at both ends. Of aborted ones the proxy may have taken more than
// arrived, and less than was sent.
void expect_counts(const Proxied& proxy, const PlannedSums& sums, const std::string& path) {
  EXPECT_TRUE(eventually([&] { return proxy.statistic("active_connections") == 0; })) << proxy.status();
  const auto status = proxy.status();
  const auto& statistics = status.at("statistics");
  // Who aborts before it was accepted has never been there.
  const auto total = statistics.at("total_connections").get<std::uint64_t>();
  EXPECT_LE(total, 1000U);
  EXPECT_GE(total + sums.aborted, 1000U);
  EXPECT_GE(sums.connections, 900U);
  // Short ones are over before a path is worth while.
  constexpr int enough = 10;
  EXPECT_GE(path_of(status, path).at("connections"), enough) << status.dump(1);
  std::uint64_t received = 0, sent = 0, hellos = 0;
  for (const auto& line : proxy.log(total)) {
    received += line.at("bytes_received").get<std::uint64_t>();
    sent += line.at("bytes_sent").get<std::uint64_t>();
    hellos += line.at("bytes_received").get<std::uint64_t>() > 0;
  }
  EXPECT_EQ(statistics.at("bytes_received"), received);
  EXPECT_EQ(statistics.at("bytes_sent"), sent);
  EXPECT_GE(received, sums.received_by_upstream);
  EXPECT_GE(sent, sums.received_by_clients);
  EXPECT_LE(sent, sums.sent_by_upstream);
  constexpr std::uint64_t longest_hello = 2000;
  EXPECT_LE(received, sums.sent_by_clients + hellos * longest_hello);
}

void test_path(const NetworkNamespace& client, const NetworkNamespace& between, const NetworkNamespace& upstream,
               const std::string& proxy_address, const std::string& upstream_address, const std::string& path) {
  auto config = one_route(proxy_address + ":8443", upstream_address + ":9443");
  config["forwarding"] = path;
  const Proxied proxy(between, config);
  if (is_off(proxy, path)) GTEST_SKIP() << path_of(proxy.status(), path).dump();
  const auto sums = run_planned({.client = client,
                                 .upstream = upstream,
                                 .proxy_address = proxy_address,
                                 .proxy_port = "8443",
                                 .upstream_address = upstream_address,
                                 .upstream_port = "9443"});
  expect_counts(proxy, sums, path);
}

void test_remote(const std::string& path) {
  const Hosts hosts;
  hosts.lose(50);
  test_path(hosts.client, hosts.proxy, hosts.upstream, "10.8.1.2", "10.8.2.1", path);
}

void test_local(const std::string& path) {
  const NetworkNamespace host;
  test_path(host, host, host, "127.0.0.1", "127.0.0.1", path);
}

TEST(ProxyForwardingPaths, BypassOnThisHost) { test_local("bypass"); }
TEST(ProxyForwardingPaths, SpliceOnThisHost) { test_local("splice"); }
TEST(ProxyForwardingPaths, SockmapWithLossAndReordering) { test_remote("sockmap"); }
TEST(ProxyForwardingPaths, SpliceWithLossAndReordering) { test_remote("splice"); }
TEST(ProxyForwardingPaths, CopyWithLossAndReordering) { test_remote("copy"); }

// Nothing said: the best that works here.
TEST(ProxyForwardingPaths, AutomaticTakesTheBypassOnThisHostAndNotForOthers) {
  const Hosts hosts;
  auto config = one_route("10.8.1.2:8443", "10.8.2.1:9443");
  config["listen_addr"] = {"10.8.1.2:8443", "127.0.0.1:8443"};
  config["routes"].push_back({{"name", "local"}, {"sni", {"local.test"}}, {"upstreams", {"127.0.0.1:9443"}}});
  const Proxied proxy(hosts.proxy, config);
  Peer far(hosts.upstream, {"echo", "10.8.2.1", "9443"}), near(hosts.proxy, {"echo", "127.0.0.1", "9443"});
  far.expect("listening");
  near.expect("listening");
  Peer remote(hosts.client, {"hold", "10.8.1.2", "8443", "name.test", "3"});
  Peer local(hosts.proxy, {"hold", "127.0.0.1", "8443", "local.test", "3"});
  for (auto* peer : {&remote, &local}) peer->expect("open");
  // A connection is captured some milliseconds after its hello, on a busy machine some more (bypass.hpp).
  std::this_thread::sleep_for(std::chrono::seconds(1));
  for (auto* peer : {&remote, &local}) {
    peer->finish();
    EXPECT_TRUE(peer->expect("asked")["failures"].empty()) << peer->expect("asked");
  }
  const bool bypass_is_off = is_off(proxy, "bypass");
  for (const auto& line : proxy.log(6)) {
    const bool is_local = line.at("server_name") == "local.test";
    EXPECT_EQ(line.at("path") == "bypass", is_local && !bypass_is_off) << line;
    const bool by_kernel = line.at("path") == "bypass" || line.at("path") == "wire";
    EXPECT_EQ(line.at("bytes_by_kernel").get<std::uint64_t>() > 0, by_kernel) << line;
  }
}

}  // namespace
}  // namespace sonde::test
