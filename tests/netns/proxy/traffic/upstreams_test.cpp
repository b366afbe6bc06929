// SPDX-License-Identifier: Apache-2.0
// Several upstreams, some of them dead; names with several addresses.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>

#include "hosts.hpp"

namespace sonde::test {
namespace {

void hold(const NetworkNamespace& host, const std::string& name, int count) {
  Peer client(host, {"hold", "127.0.0.1", "8443", name, std::to_string(count)});
  client.expect("open");
  client.finish();
  EXPECT_TRUE(client.expect("asked")["failures"].empty()) << client.expect("asked");
}

std::map<std::string, int> upstreams_of(const Proxied& proxy, std::size_t count) {
  std::map<std::string, int> used;
  for (const auto& line : proxy.log(count)) ++used[line.at("upstream_address").get<std::string>()];
  return used;
}

TEST(ProxyUpstreams, TakeTurns) {
  const NetworkNamespace host;
  Peer one(host, {"echo", "127.0.0.1", "9441"}), two(host, {"echo", "127.0.0.1", "9442"});
  one.expect("listening");
  two.expect("listening");
  auto config = one_route("127.0.0.1:8443", "127.0.0.1:9441");
  config["routes"][0]["upstreams"].push_back("127.0.0.1:9442");
  const Proxied proxy(host, config);
  hold(host, "name.test", 20);
  const auto used = upstreams_of(proxy, 20);
  EXPECT_EQ(used.at("127.0.0.1:9441"), 10);
  EXPECT_EQ(used.at("127.0.0.1:9442"), 10);
}

// A dead one costs nobody a connection; once the checks have seen it nobody tries it, and it comes back.
TEST(ProxyUpstreams, ADeadOneIsLeftOutAndComesBack) {
  const NetworkNamespace host;
  Peer one(host, {"echo", "127.0.0.1", "9441"});
  one.expect("listening");
  auto config = one_route("127.0.0.1:8443", "127.0.0.1:9441");
  config["routes"][0]["upstreams"].push_back("127.0.0.1:9442");
  config["routes"][0]["health_check"] = {{"interval", "100ms"}, {"timeout", "500ms"}, {"rise", 2}, {"fall", 2}};
  const Proxied proxy(host, config);
  hold(host, "name.test", 4);
  const auto is_up = [&](const std::string& upstream) {
    const auto status = proxy.status();
    for (const auto& one_of_them : status["upstreams"])
      if (one_of_them["upstream"] == upstream) return one_of_them["up"].get<bool>();
    throw std::runtime_error("no upstream " + upstream + " in " + proxy.status()["upstreams"].dump());
  };
  EXPECT_TRUE(eventually([&] { return !is_up("127.0.0.1:9442"); })) << proxy.status()["upstreams"];
  EXPECT_TRUE(is_up("127.0.0.1:9441"));
  hold(host, "name.test", 10);
  EXPECT_EQ(upstreams_of(proxy, 14).at("127.0.0.1:9441"), 14);
  Peer two(host, {"echo", "127.0.0.1", "9442"});
  two.expect("listening");
  EXPECT_TRUE(eventually([&] { return is_up("127.0.0.1:9442"); })) << proxy.status()["upstreams"];
  hold(host, "name.test", 10);
  EXPECT_EQ(upstreams_of(proxy, 24).at("127.0.0.1:9442"), 5);
}

TEST(ProxyUpstreams, AllDownIsToldAtOnce) {
  const NetworkNamespace host;
  auto config = one_route("127.0.0.1:8443", "127.0.0.1:9441");
  config["routes"][0]["health_check"] = {{"interval", "50ms"}, {"fall", 1}};
  const Proxied proxy(host, config);
  EXPECT_TRUE(eventually([&] { return proxy.status()["upstreams"][0]["up"] == false; }));
  const auto said = peer_says(host, {"send_hello", "127.0.0.1", "8443", "name.test"}, "answer");
  EXPECT_EQ(said["answer"], "15030100020250") << said;
  EXPECT_TRUE(eventually([&] { return proxy.refusals("no-healthy-upstream") == 1; })) << proxy.status()["refusals"];
}

// Least connections: while one holds all its connections, new ones go to the other.
TEST(ProxyUpstreams, LeastConnections) {
  const NetworkNamespace host;
  Peer one(host, {"echo", "127.0.0.1", "9441"});
  one.expect("listening");
  auto config = one_route("127.0.0.1:8443", "127.0.0.1:9441");
  config["routes"][0].update({{"upstreams", {"127.0.0.1:9441", "127.0.0.1:9442"}}, {"balance", "least_connections"}});
  config["workers"] = 1;
  const Proxied proxy(host, config);
  Peer held(host, {"idle", "127.0.0.1", "8443", "name.test", "6"});
  held.expect("open");
  Peer two(host, {"echo", "127.0.0.1", "9442"});
  two.expect("listening");
  hold(host, "name.test", 4);
  EXPECT_EQ(upstreams_of(proxy, 4).at("127.0.0.1:9442"), 4);
  held.finish();
}

// A name with an IPv6 address that swallows everything and an IPv4 one that works (RFC 8305).
TEST(ProxyUpstreams, HappyEyeballs) {
  const NetworkNamespace host(NetworkNamespace::Ipv6::on);
  host.run(
      "ip link add none0 type veth peer name none1 && ip link set none0 up && ip link set none1 up && "
      "ip -6 addr add fd99::1/64 dev none0 nodad && ip -6 neigh add fd99::99 lladdr 02:00:00:00:00:99 dev none0");
  Peer upstream(host, {"echo", "127.0.0.1", "9443"});
  Peer dns(host, {"dns", "127.0.0.1", "5353", "two.test=fd99::99", "two.test=127.0.0.1"});
  upstream.expect("listening");
  dns.expect("listening");
  const Json config{{"listen_addr", "127.0.0.1:8443"},
                    {"whitelist", {"two.test", "none.test"}},
                    {"upstream_port", 9443},
                    {"dns", {{"servers", {"127.0.0.1:5353"}}}}};
  const Proxied proxy(host, config);
  for (int i = 0; i < 3; ++i) hold(host, "two.test", 1);
  for (const auto& line : proxy.log(3)) {
    EXPECT_EQ(line["upstream_address"], "127.0.0.1:9443") << line;
    EXPECT_LT(line["connected_ms"].get<double>(), 4000) << "did not wait for the time-out of the first: " << line;
  }
  EXPECT_EQ(dns.lines_with("asked").size(), 2U) << "A and AAAA, once";
  EXPECT_EQ(proxy.statistic("dns_cache_hits"), 2U);
  EXPECT_EQ(proxy.statistic("dns_cache_misses"), 1U);
  const auto none = peer_says(host, {"send_hello", "127.0.0.1", "8443", "none.test"}, "answer");
  EXPECT_EQ(none["answer"], "15030100020250") << none;
  EXPECT_TRUE(eventually([&] { return proxy.refusals("dns-failed") == 1; })) << proxy.status()["refusals"];
}

}  // namespace
}  // namespace sonde::test
