// SPDX-License-Identifier: Apache-2.0
// What contradicts itself or cannot be meant, and where the error says it is.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <cstdio>
#include <fstream>

#include "actuators/proxy/config/place.hpp"
#include "document.hpp"

namespace sonde::proxy {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr const char* listener = R"("listen_addr": "127.0.0.1:8443")";

struct Case {
  const char* text;   ///< $ stands for a listener and a name
  const char* error;  ///< without the file
};

std::string filled(std::string text) {
  const auto at = text.find('$');
  if (at != std::string::npos) text.replace(at, 1, std::string(listener) + R"(, "whitelist": ["www.example.org"])");
  return text;
}

class ProxyConfigErrors : public testing::TestWithParam<Case> {};

TEST_P(ProxyConfigErrors, SaysWhereAndWhat) { EXPECT_EQ(error_of_text(filled(GetParam().text)), GetParam().error); }

constexpr Case lines[] = {
    // The line of the value, also where that is a number at the end of its line.
    {"{\n$,\n\"workers\": 9999\n}", "3: workers: 9999: expected a whole number from 0 to 1024"},
    {"{\n$,\n\"workers\":\n\n9999,\n\"user\": \"a\"}", "5: workers: 9999: expected a whole number from 0 to 1024"},
    {"{\r\n$,\r\n\"workers\": 9999\r\n}", "3: workers: 9999: expected a whole number from 0 to 1024"},
    {"{$,\n\"timeouts\": {\n\n  \"idle\": \"soon\"}}",
     "4: timeouts.idle: \"soon\": expected a time from 10ms to 365d, such as \"10s\" or \"250ms\"; a number is "
     "seconds"},
    {"{$, \"ip_whitelist\": [\"192.0.2.1\",\n\"192.0.2.2\",\n7]}",
     "3: ip_whitelist[2]: 7: expected an address or a network in quotes"},
    // The line of the key, if it is the key that is wrong.
    {"{$,\n\"log\": {\n\"levle\":\n\"info\"}}",
     "3: log.levle: no such key: expected one of level, output, file_path, enable_rotation, max_size_mb, max_backups, "
     "show_timestamp, show_module, use_color (did you mean level?)"},
    {"{$,\n\"ebpf\": {\"stats\": {\n\"enable\": true}}}",
     "3: ebpf.stats.enable: no such key: expected enabled (did you mean enabled?)"},
    {"{$,\n\"user\": \"a\",\n\"user\": \"b\"}", "3: user: given twice: expected once"},
    {"{$, \"routes\": [{}, {\"health_check\":\n{\"rise\": 1, \"rise\": 1}}]}",
     "2: routes[1].health_check.rise: given twice: expected once"},
    // Of what is not there: of the object that lacks it.
    {"{\n\"whitelist\": [\"a.example\"]}",
     "1: listen_addr: is not there: expected an address and a port, such as \"0.0.0.0:443\" or \"[::]:443\""},
    {"{\n\"listen_addr\": \"127.0.0.1:1\"}",
     "1: whitelist: is not there: expected at least one name in whitelist, socks5_whitelist or routes"},
    {"{$, \"routes\": [\n{\"name\": \"a\"}]}", "2: routes[0].sni: is not there: expected the names that go this way"},
    {"{$,\n\"socks5\": {\"username\": null}}", "2: socks5.addr: is not there: expected the SOCKS5 server as host:port"},
    {"{$, \"listeners\": [\n{}]}",
     "2: listeners[0].address: is not there: expected an address and a port, such as \"0.0.0.0:443\" or \"[::]:443\""},
};
INSTANTIATE_TEST_SUITE_P(Lines, ProxyConfigErrors, testing::ValuesIn(lines));

constexpr Case contradictions[] = {
    {"{$,\n\"socks5_whitelist\": [\"a.example\"]}",
     "2: socks5_whitelist: there is no SOCKS5 server: expected socks5.addr at the top"},
    {"{$, \"routes\": [{\"sni\": [\"a.example\"],\n\"socks5\": true}]}",
     "2: routes[0].socks5: true without a SOCKS5 server: expected socks5.addr at the top"},
    {"{$,\n\"routes\": [{\"sni\": [\"a.example\",\n\"WWW.Example.org.\"]}]}",
     "3: routes[0].sni[1]: \"www.example.org\" leads elsewhere by whitelist[0] (line 1): expected each name in one "
     "route"},
    {"{$, \"routes\": [{\"sni\": [\"a.example\"], \"name\": \"x\"},\n{\"sni\": [\"b.example\"], \"name\": \"x\"}]}",
     "2: routes[1].name: \"x\" is said by routes[0].name (line 1): expected each route to have a name of its own"},
    {"{$, \"routes\": [{\"sni\": [\"a.example\"], \"name\": \"whitelist\"}]}",
     "1: routes[0].name: \"whitelist\" is said by whitelist (line 1): expected each route to have a name of its own"},
    {"{$, \"listeners\": [\n{\"address\": \"127.0.0.1:8443\"}]}",
     "2: listeners[0].address: \"127.0.0.1:8443\" is said by listen_addr (line 1): expected each address once"},
    {"{$,\n\"admin\": \"127.0.0.1:8443\"}",
     "2: admin: \"127.0.0.1:8443\" is said by listen_addr (line 1): expected each address once"},
    {"{$, \"log\": {\n\"output\": \"both\"}}", "2: log.output: \"both\": expected log.file_path beside it"},
    {"{$, \"log\": {\"output\": \"file\", \"file_path\": null}}",
     "1: log.output: \"file\": expected log.file_path beside it"},
    {"{$, \"access_log\": \"a.log\", \"log\": {\"file_path\": \"a.log\"}}",
     "1: access_log: \"a.log\" is said by log.file_path (line 1): expected a file of its own for each"},
    {"{$, \"socks5\": {\"addr\": \"a:1\",\n\"username\": \"u\"}}",
     "2: socks5.username: one without the other: expected username and password, both or neither"},
    {"{$, \"socks5\": {\"addr\": \"a:1\", \"password\": \"p\", \"username\": \"\"}}",
     "1: socks5.password: one without the other: expected username and password, both or neither"},
    {"{$, \"ebpf\": {\"xdp\": {\n\"enabled\": true}}}",
     "2: ebpf.xdp.enabled: true, and there is nothing to filter by: expected ip_whitelist"},
    {"{$, \"ebpf\": {\"enabled\": false},\n\"forwarding\": \"bypass\"}",
     "2: forwarding: \"bypass\" is switched off by ebpf: expected ebpf.enabled and ebpf.sockmap.enabled to be true, or "
     "another way"},
    {"{$, \"routes\": [{\"sni\": [\"a.example\"],\n\"forwarding\": \"sockmap\"}], \"ebpf\": {\"sockmap\": "
     "{\"enabled\": "
     "false}}}",
     "2: routes[0].forwarding: \"sockmap\" is switched off by ebpf: expected ebpf.enabled and ebpf.sockmap.enabled to "
     "be "
     "true, or another way"},
    {"{$, \"listeners\": [{\"address\": \"127.0.0.1:1\",\n\"forwarding\": \"wire\"}], \"ebpf\": {\"enabled\": false}}",
     "2: listeners[0].forwarding: \"wire\" is switched off by ebpf: expected ebpf.enabled to be true, or another way"},
    {"{$, \"ebpf\": {\"enabled\": false}, \"routes\": [{\"sni\": [\"a.example\"],\n\"forwarding\": \"wire\"}]}",
     "2: routes[0].forwarding: \"wire\" is switched off by ebpf: expected ebpf.enabled to be true, or another way"},
    {"{$, \"routes\": [{\"sni\": [\"a.example\"],\n\"balance\": \"round_robin\"}]}",
     "2: routes[0].balance: there is nothing to choose from: expected upstreams beside it"},
    {"{$, \"routes\": [{\"sni\": [\"a.example\"], \"health_check\": {\"interval\": 1}}]}",
     "1: routes[0].health_check: there is nothing to choose from: expected upstreams beside it"},
    {"{$, \"socks5\": {\"addr\": \"a:1\"}, \"routes\": [{\"sni\": [\"a.example\"], \"upstreams\": [\"b:1\"], "
     "\"socks5\": true, \"health_check\": {\"interval\": 1}}]}",
     "1: routes[0].health_check: does not go through the SOCKS5 server: expected socks5: false, or no health_check"},
    {"{$, \"routes\": [{\"sni\": [\"a.example\"], \"upstreams\": [\"b:1\", \"B.:1\"]}]}",
     "1: routes[0].upstreams[1]: \"b:1\" is given twice: expected each upstream once"},
    {"{$, \"routes\": [{\"sni\": [\"a.example\"], \"upstreams\": []}]}",
     "1: routes[0].upstreams: an empty list: expected one at least; without the key: the host that the name names"},
};
INSTANTIATE_TEST_SUITE_P(Contradictions, ProxyConfigErrors, testing::ValuesIn(contradictions));

constexpr const char* shape = "a host name such as www.example.org, or *.example.org for all below it";

TEST(ProxyConfigNames, WhatIsNoneSaysWhatWasProbablyMeant) {
  const std::pair<const char*, std::string> names[] = {
      {"*", "a name or *.suffix; no pattern stands for every name"},
      {"*.", "a name or *.suffix; no pattern stands for every name"},
      {"w*.example", "a name or *.suffix; * stands for whole labels at the begin"},
      {"*.*.example", "a name or *.suffix; * stands for whole labels at the begin"},
      {"m\u00fcnchen.example", "the name as it is sent, with xn-- labels (RFC 5890)"},
      {"192.0.2.1", "a name: an address is never sent as server name (RFC 6066)"},
      {"2001:db8::1", "a name: an address is never sent as server name (RFC 6066)"},
      {"www.example.org:443", "a name without a port"},
      {"", shape},
      {".example.org", shape},
      {"a..example", shape},
      {"https://a.example", "a name without a port"},
      {"a b.example", shape},
  };
  for (const auto& [name, expected] : names)
    EXPECT_THAT(error_of(with(least_document(), "/whitelist/0", name)), HasSubstr(": expected " + expected)) << name;
  EXPECT_EQ(parse(with(least_document(), "/whitelist/0", "*.xn--mnchen-3ya.Example.")).routes[0].sni[0],
            "*.xn--mnchen-3ya.example");
}

// The same name twice in one route says nothing twice.
TEST(ProxyConfigNames, AreKeptOnceInARoute) {
  const auto config =
      parse(with(least_document(), "/whitelist", {"a.example", "A.example.", "*.a.example", "*.A.example"}));
  EXPECT_EQ(config.routes[0].sni, (std::vector<std::string>{"a.example", "*.a.example"}));
}

TEST(ProxyConfigTimes, WhatIsNone) {
  for (const char* const word : {"", "s", "nans", "infs", "-1s", "1e3s", "1 s", "1s ", "1S", "1us", "0x1s", "1h30m"})
    EXPECT_THAT(error_of(with(least_document(), "/timeouts/hello", word)), HasSubstr(": expected a time from "))
        << word;
  EXPECT_EQ(parse(with(least_document(), "/timeouts/hello", 0.0105)).timeouts.hello.count(), 11);
}

TEST(ProxyConfigClients, AllOfIPv6IsNotIPv4) {
  auto config = parse(with(least_document(), "/ip_whitelist", {"::/0"}));
  ASSERT_EQ(config.clients.size(), 96U);
  for (const auto& network : config.clients) EXPECT_FALSE(network.any());
  config = parse(with(least_document(), "/ip_whitelist", {"any"}));
  ASSERT_EQ(config.clients.size(), 1U);
  EXPECT_TRUE(config.clients[0].any());
}

TEST(ProxyConfigClients, HostBitsAreAnErrorThatTellsTheNetwork) {
  EXPECT_EQ(
      error_of_text("{\n\"ip_whitelist\": [\"10.1.2.3/8\"], " + std::string(listener) + R"(, "whitelist": ["a.b"]})"),
      "2: ip_whitelist[0]: \"10.1.2.3/8\", host bits are set: expected 10.0.0.0/8 or 10.1.2.3");
  EXPECT_THAT(error_of(with(least_document(), "/ip_whitelist", {"10.0.0.0/33"})),
              HasSubstr("ip_whitelist[0]: \"10.0.0.0/33\": expected a prefix length from /0 to /32"));
}

TEST(ProxyConfigText, WhatIsNoJsonTellsTheLine) {
  EXPECT_THAT(error_of_text(""), StartsWith("1: not JSON: "));
  EXPECT_THAT(error_of_text("{\n\"a\": 1,\n}"), StartsWith("3: not JSON: "));
  EXPECT_THAT(error_of_text("{\n// why\n}"), StartsWith("2: not JSON: "));
  EXPECT_THAT(error_of_text("{}\n{}"), StartsWith("2: not JSON: "));
  EXPECT_THAT(error_of_text("{\"user\": \"\xff\"}"), StartsWith("1: not JSON: "));
  EXPECT_THAT(error_of_text("{\n\"workers\": 1e999}"), StartsWith("2: not JSON: "));
  EXPECT_EQ(error_of_text("[]"),
            "1: an empty list: expected an object with log, ebpf, wire, socks5, forwarding, listen_addr, "
            "listeners, whitelist, socks5_whitelist, routes, upstream_port, ip_whitelist, "
            "ip_traffic_tracking, domain_ip_tracking, max_connections, timeouts, limits, dns, workers, "
            "user, admin, access_log, control");
  EXPECT_EQ(error_of_text(std::string(100'000, '[')), "1: more than 16 levels of lists and objects");
}

// What is accepted here can be bound: ControlSocket::bind() puts ".PID" behind it for a moment.
TEST(ProxyConfigText, AControlSocketHasRoomForItsPath) {
  const std::string longest = "/" + std::string(95, 'x');
  EXPECT_EQ(parse(with(least_document(), "/control", longest)).control, longest);
  EXPECT_THAT(error_of(with(least_document(), "/control", longest + "x")), HasSubstr("of at most 96 bytes"));
}

TEST(ProxyConfigFile, APlaceHasTheLineOfItsKey) {
  const auto path = testing::TempDir() + "/sonde-proxy-place-test.json";
  std::ofstream(path) << "{\n\"user\": \"a\",\n\"wire\": {\n\"max_age\": 1,\n\"connections\": 5}}";
  EXPECT_EQ(place_of_key(path, "user"), path + ":2: user");
  EXPECT_EQ(place_of_key(path, "wire"), path + ":3: wire");
  EXPECT_EQ(place_of_key(path, "wire.connections"), path + ":5: wire.connections");
  for (const std::string absent : {"admin", "wire.after", "user.name"})
    EXPECT_EQ(place_of_key(path, absent), path + ": " + absent);
  std::remove(path.c_str());
  EXPECT_EQ(place_of_key(path, "user"), path + ": user");
}

TEST(ProxyConfigFile, IsReadOrTheErrorNamesIt) {
  EXPECT_EQ(read_proxy_config("/no/such/file.json").error().text(),
            "cannot read /no/such/file.json: No such file or directory");
  EXPECT_EQ(read_proxy_config("/").error().text(), "cannot read /: Is a directory");
  const auto path = testing::TempDir() + "/sonde-proxy-config-test.json";
  auto* const file = std::fopen(path.c_str(), "w");
  ASSERT_NE(file, nullptr);
  std::fputs(least_document().dump().c_str(), file);
  std::fclose(file);
  const auto config = read_proxy_config(path);
  std::remove(path.c_str());
  ASSERT_TRUE(config) << config.error().text();
  EXPECT_EQ(config->listeners.size(), 1U);
}

}  // namespace
}  // namespace sonde::proxy
