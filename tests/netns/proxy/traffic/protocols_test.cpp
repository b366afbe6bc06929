// SPDX-License-Identifier: Apache-2.0
// PROXY protocol with haproxy and nginx at the other end, and SOCKS5.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "hosts.hpp"
#include "planned.hpp"

namespace sonde::test {
namespace {

class Versions : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(ProxyProtocol, Versions, ::testing::Values("v1", "v2"));

// nginx believes the header: what it says of the client is what it says.
TEST_P(Versions, NginxReadsOurHeader) {
  const Hosts hosts;
  TlsServers servers(hosts.upstream);
  servers.start_nginx("listen 10.8.2.1:9443 ssl proxy_protocol; listen [fd08:2::1]:9443 ssl proxy_protocol;");
  auto config = one_route("10.8.1.2:8443", "10.8.2.1:9443");
  config["listen_addr"] = {"10.8.1.2:8443", "[fd08:1::2]:8443"};
  config["routes"][0]["proxy_protocol"] = GetParam();
  const Proxied proxy(hosts.proxy, config);
  const std::pair<const char*, const char*> ways[] = {{"10.8.1.2", "10.8.1.1"}, {"[fd08:1::2]", "fd08:1::1"}};
  for (const auto& [to, from] : ways) {
    const auto got = outcome_of(hosts.client, fmt::format("curl -sS --max-time 60 --cacert {} --connect-to ::{}:8443 "
                                                          "https://name.test/client",
                                                          servers.certificate(), to));
    EXPECT_EQ(got.status, 0) << got.output;
    EXPECT_EQ(got.output, fmt::format("10.8.2.2 {} name.test HTTP/1.1\n", from));
  }
}

// The bytes behind the header are still exactly those of the client, in either direction, on every path.
TEST_P(Versions, BytesBehindTheHeaderStayTheSame) {
  for (const auto* const path : {"bypass", "splice", "copy"}) {
    const NetworkNamespace host;
    auto config = one_route("127.0.0.1:8443", "127.0.0.1:9443");
    config["forwarding"] = path;
    config["routes"][0]["proxy_protocol"] = GetParam();
    const Proxied proxy(host, config);
    const auto sums = run_planned({.client = host,
                                   .upstream = host,
                                   .proxy_address = "127.0.0.1",
                                   .proxy_port = "8443",
                                   .upstream_address = "127.0.0.1",
                                   .upstream_port = "9443",
                                   .count = 60,
                                   .at_once = 15,
                                   .header = GetParam()});
    EXPECT_GT(sums.connections, 50U);
  }
}

// haproxy speaks to us; the client it names is who the access log and the allow list see.
TEST_P(Versions, HaproxysHeaderIsBelieved) {
  const Hosts hosts;
  Folder folder;
  Peer upstream(hosts.upstream, {"echo", "10.8.2.1", "9443"});
  upstream.expect("listening");
  auto config = one_route("10.8.1.2:8443", "10.8.2.1:9443");
  config.erase("listen_addr");
  config["listeners"] = Json::array({{{"address", "127.0.0.1:8444"}, {"proxy_protocol", "required"}}});
  config["ip_whitelist"] = {"10.8.1.1"};
  const Proxied proxy(hosts.proxy, config);
  const auto haproxy_config = folder.write(
      "haproxy.cfg", fmt::format("defaults\n mode tcp\n timeout connect 10s\n timeout client 60s\n timeout server 60s\n"
                                 "listen in\n bind 10.8.1.2:8443\n server out 127.0.0.1:8444 {}\n",
                                 std::string(GetParam()) == "v1" ? "send-proxy" : "send-proxy-v2"));
  Process haproxy(hosts.proxy, {"haproxy", "-db", "-f", haproxy_config});
  EXPECT_TRUE(eventually([&] {
    return outcome_of(hosts.client, "timeout 2 socat -u /dev/null TCP:10.8.1.2:8443").status == 0;
  })) << haproxy.errors();
  const auto before = proxy.log(1).size();
  Peer client(hosts.client, {"hold", "10.8.1.2", "8443", "name.test", "2"});
  client.expect("open");
  client.finish();
  EXPECT_TRUE(client.expect("asked")["failures"].empty()) << client.expect("asked");
  std::size_t relayed = 0;
  for (const auto& line : proxy.log(before + 2)) {
    if (!line.contains("path")) continue;
    ++relayed;
    EXPECT_EQ(line["client"].get<std::string>().substr(0, 9), "10.8.1.1:") << line;
    EXPECT_EQ(line["peer"].get<std::string>().substr(0, 10), "127.0.0.1:") << line;
  }
  EXPECT_EQ(relayed, 2U);
  const auto without = peer_says(hosts.proxy, {"send_hello", "127.0.0.1", "8444", "name.test"}, "answer");
  EXPECT_EQ(without["answer"], "") << without;
  EXPECT_TRUE(eventually([&] { return proxy.refusals("proxy-header") >= 1; })) << proxy.status()["refusals"];
}

Json socks_config(const std::string& password) {
  Json config{{"listen_addr", "127.0.0.1:8443"},
              {"socks5_whitelist", {"*.far.test"}},
              {"socks5", {{"addr", "127.0.0.1:1080"}}}};
  if (!password.empty()) config["socks5"].update({{"username", "user"}, {"password", password}});
  return config;
}

// The server resolves the name; nobody else is asked.
TEST(ProxySocks5, WithAndWithoutPassword) {
  for (const auto* const password : {"", "secret"}) {
    const NetworkNamespace host;
    Peer upstream(host, {"echo", "127.0.0.1", "9443"});
    Peer server(host, {"socks", "127.0.0.1", "1080", "127.0.0.1", "9443",
                       std::string(password).empty() ? "" : std::string("user:") + password});
    upstream.expect("listening");
    server.expect("listening");
    const Proxied proxy(host, socks_config(password));
    Peer client(host, {"hold", "127.0.0.1", "8443", "www.far.test", "3"});
    client.expect("open");
    client.finish();
    EXPECT_TRUE(client.expect("asked")["failures"].empty()) << client.expect("asked");
    const auto asked = server.lines_with("host");
    ASSERT_EQ(asked.size(), 3U);
    EXPECT_EQ(asked[0]["host"], "www.far.test");
    EXPECT_EQ(asked[0]["port"], 443);
    EXPECT_EQ(asked[0]["kind"], 3) << "a name";
    EXPECT_EQ(proxy.statistic("socks5_requests"), 3U);
    EXPECT_EQ(proxy.statistic("direct_requests"), 0U);
  }
}

TEST(ProxySocks5, BytesThroughItStayTheSame) {
  for (const auto* const path : {"bypass", "splice"}) {
    const NetworkNamespace host;
    Peer server(host, {"socks", "127.0.0.1", "1080", "127.0.0.1", "9443", ""});
    server.expect("listening");
    auto config = socks_config("");
    config["forwarding"] = path;
    const Proxied proxy(host, config);
    const auto sums = run_planned({.client = host,
                                   .upstream = host,
                                   .proxy_address = "127.0.0.1",
                                   .proxy_port = "8443",
                                   .upstream_address = "127.0.0.1",
                                   .upstream_port = "9443",
                                   .count = 40,
                                   .at_once = 10,
                                   .name = "www.far.test",
                                   .aborts = false});
    EXPECT_GT(sums.connections, 30U);
  }
}

TEST(ProxySocks5, RefusalsOfTheServerAreCounted) {
  const NetworkNamespace host;
  Peer wrong(host, {"socks", "127.0.0.1", "1080", "127.0.0.1", "9443", "user:other"});
  wrong.expect("listening");
  const Proxied proxy(host, socks_config("secret"));
  const auto said = peer_says(host, {"send_hello", "127.0.0.1", "8443", "www.far.test"}, "answer");
  EXPECT_EQ(said["answer"], "15030100020250") << said;
  EXPECT_TRUE(eventually([&] { return proxy.refusals("socks5-failed") == 1; })) << proxy.status()["refusals"];
  EXPECT_EQ(proxy.statistic("socks5_errors"), 1U);
  EXPECT_FALSE(proxy.log(1).back()["detail"].get<std::string>().empty());
}

}  // namespace
}  // namespace sonde::test
