// SPDX-License-Identifier: Apache-2.0
// Which clients may connect, how many at a time, and from where.
#include <gtest/gtest.h>

#include <algorithm>

#include "hosts.hpp"

namespace sonde::test {
namespace {

TEST(ProxyClients, OnlyThoseOfTheList) {
  const Hosts hosts;
  hosts.client.run("ip addr add 10.8.1.9/24 dev eth0");
  Peer upstream(hosts.upstream, {"echo", "10.8.2.1", "9443"});
  upstream.expect("listening");
  auto config = one_route("10.8.1.2:8443", "10.8.2.1:9443");
  config["ip_whitelist"] = {"10.8.1.0/29", "fd08:1::/64"};
  const Proxied proxy(hosts.proxy, config);
  Peer allowed(hosts.client, {"hold", "10.8.1.2", "8443", "name.test", "2"});
  allowed.expect("open");
  allowed.finish();
  EXPECT_TRUE(allowed.expect("asked")["failures"].empty());
  const auto other =
      outcome_of(hosts.client, "printf '\\26\\3\\1' | timeout 10 socat - TCP:10.8.1.2:8443,bind=10.8.1.9");
  EXPECT_TRUE(eventually([&] { return proxy.refusals("client-not-allowed") == 1; })) << other.output;
  // Those that were on the wire have their lines when it is seen that they are over.
  const auto lines = proxy.log(3);
  EXPECT_TRUE(std::ranges::any_of(
      lines, [](const Json& line) { return line["client"].get<std::string>().starts_with("10.8.1.9:"); }));
}

TEST(ProxyClients, AsManyAsTheLimitsSay) {
  const NetworkNamespace host;
  Peer upstream(host, {"echo", "127.0.0.1", "9443"});
  upstream.expect("listening");
  auto config = one_route("127.0.0.1:8443", "127.0.0.1:9443");
  config["max_connections"] = 5;
  config["limits"] = {{"connections_per_client", 4}};
  const Proxied proxy(host, config);
  Peer four(host, {"idle", "127.0.0.1", "8443", "name.test", "4"});
  four.expect("open");
  const auto fifth = peer_says(host, {"send_hello", "127.0.0.1", "8443", "name.test"}, "answer");
  EXPECT_EQ(fifth["answer"], "") << fifth;
  EXPECT_NE(fifth["end"], "stuck") << fifth;
  EXPECT_TRUE(eventually([&] { return proxy.refusals("too-many-of-client") == 1; })) << proxy.status()["refusals"];
  const auto other = "timeout 20 socat - TCP:127.0.0.1:8443,bind=127.0.0.";
  host.run("ip addr add 127.0.0.7/8 dev lo; ip addr add 127.0.0.8/8 dev lo");
  Process sixth(host, {"sh", "-c", std::string("sleep 15 | ") + other + "7"});
  EXPECT_TRUE(eventually([&] { return proxy.statistic("active_connections") == 5; })) << proxy.status();
  (void)outcome_of(host, std::string("printf x | ") + other + "8");
  EXPECT_TRUE(eventually([&] { return proxy.refusals("too-many-connections") == 1; })) << proxy.status()["refusals"];
  four.close_input();
  EXPECT_EQ(four.expect("alive")["alive"], 4);
  four.finish();
  EXPECT_TRUE(eventually([&] { return proxy.statistic("active_connections") <= 1; }));
  Peer again(host, {"hold", "127.0.0.1", "8443", "name.test", "2"});
  again.expect("open");
  again.finish();
}

TEST(ProxyClients, SeveralListenersOfBothFamilies) {
  const Hosts hosts;
  Peer four(hosts.upstream, {"echo", "10.8.2.1", "9443"}), six(hosts.upstream, {"echo", "fd08:2::1", "9444"});
  four.expect("listening");
  six.expect("listening");
  auto config = one_route("10.8.1.2:8443", "10.8.2.1:9443");
  config.erase("listen_addr");
  config["listeners"] = Json::array({{{"address", "10.8.1.2:8443"}},
                                     {{"address", "[fd08:1::2]:8443"}, {"forwarding", "copy"}},
                                     {{"address", "10.8.1.2:8444"}, {"forwarding", "splice"}}});
  config["routes"].push_back({{"name", "six"}, {"sni", {"*.six.test"}}, {"upstreams", {"[fd08:2::1]:9444"}}});
  const Proxied proxy(hosts.proxy, config);
  const std::tuple<const char*, const char*, const char*> ways[] = {{"10.8.1.2", "8443", "name.test"},
                                                                    {"fd08:1::2", "8443", "name.test"},
                                                                    {"10.8.1.2", "8444", "a.b.six.test"},
                                                                    {"fd08:1::2", "8443", "x.six.test"}};
  for (const auto& [address, port, name] : ways) {
    Peer client(hosts.client, {"hold", address, port, name, "2"});
    client.expect("open");
    client.finish();
    EXPECT_TRUE(client.expect("asked")["failures"].empty()) << client.expect("asked");
  }
  for (const auto& line : proxy.log(8)) {
    const auto listener = line["listener"].get<std::string>();
    if (listener == "[fd08:1::2]:8443") {
      EXPECT_EQ(line["path"], "copy") << line;
    }
    if (listener == "10.8.1.2:8444") {
      EXPECT_TRUE(line["path"] == "splice" || line["path"] == "copy") << line;
    }
    EXPECT_EQ(line["upstream_address"], line["server_name"] == "name.test" ? "10.8.2.1:9443" : "[fd08:2::1]:9444")
        << line;
  }
  const auto apex = peer_says(hosts.client, {"send_hello", "10.8.1.2", "8443", "six.test"}, "answer");
  EXPECT_EQ(apex["answer"], "15030100020270") << "the apex is not below itself";
}

}  // namespace
}  // namespace sonde::test
