// SPDX-License-Identifier: Apache-2.0
// Every key: what holds without it, what it does, and what is no value for it.
#include <gmock/gmock.h>

#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "document.hpp"

namespace sonde::proxy {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

// Members as text, so that one table has them all.
std::string text_of(bool value) { return value ? "true" : "false"; }
std::string text_of(const std::string& value) { return value; }
template <class T>
requires std::is_integral_v<T> std::string text_of(T value) { return std::to_string(value); }
std::string text_of(std::chrono::milliseconds value) { return std::to_string(value.count()) + "ms"; }
std::string text_of(std::chrono::seconds value) { return std::to_string(value.count()) + "s"; }
std::string text_of(ProxyForwarding value) { return proxy_forwarding_name(value); }
std::string text_of(ProxyBalance value) { return value == ProxyBalance::round_robin ? "round" : "least"; }
std::string text_of(ProxyProtocolIn value) { return value == ProxyProtocolIn::off ? "off" : "required"; }
std::string text_of(ProxyProtocolOut value) {
  return value == ProxyProtocolOut::off ? "off" : value == ProxyProtocolOut::v1 ? "v1" : "v2";
}
std::string text_of(const ProxyUpstream& value) { return value.text(); }
std::string text_of(const Endpoint& value) { return value.text(); }
template <class T>
std::string text_of(const std::optional<T>& value) {
  return value ? text_of(*value) : "none";
}
template <class T>
std::string text_of(const std::vector<T>& values) {
  std::string text;
  for (const auto& value : values) text += (text.empty() ? "" : " ") + text_of(value);
  return text;
}

struct Key {
  const char* pointer;  ///< RFC 6901
  std::function<std::string(const ProxyConfig&)> read;
  std::string by_default;
  Json value;
  std::string set;
  Json wrong;            ///< given in its place
  const char* expected;  ///< of the error
};

#define MEMBER(path) [](const ProxyConfig& config) { return text_of(config.path); }

// Against what it is set in: a document in which every object that has keys is there.
Json document() {
  auto document = least_document();
  document["listeners"] = Json::array({{{"address", "127.0.0.1:9443"}}});
  document["socks5"] = {{"addr", "127.0.0.1:1080"}, {"username", "u"}, {"password", "p"}};
  document["routes"] = Json::array({{{"sni", {"a.example"}},
                                     {"upstreams", {"192.0.2.1:443", "192.0.2.2:443"}},
                                     {"health_check", {{"interval", "5s"}}}},
                                    {{"sni", {"b.example"}}}});
  for (const char* const key :
       {"log", "ip_traffic_tracking", "domain_ip_tracking", "timeouts", "limits", "dns", "ebpf", "wire"})
    document[key] = Json::object();
  for (const char* const key : {"sockmap", "dns_cache", "stats", "xdp"}) document["ebpf"][key] = Json::object();
  document["ip_whitelist"] = {"127.0.0.0/8"};
  return document;
}

const std::vector<Key>& keys() {
  static const Json no = false;
  static const Json yes = true;
  static const Json many = "many";
  static const char* const boolean = "expected true or false";
  static const char* const time = "expected a time from ";
  static const char* const whole = "expected a whole number from ";
  static const std::vector<Key> table = {
      {"/listen_addr", MEMBER(listeners[0].address), "127.0.0.1:8443", "[2001:db8::1]:443", "[2001:db8::1]:443",
       "127.0.0.1", "expected an address and a port"},
      {"/listeners", MEMBER(listeners.size()), "2", Json::array({{{"address", "0.0.0.0:1"}}, {{"address", "[::]:1"}}}),
       "3", Json::object(), "expected a list of objects with address"},
      {"/listeners/0/address", MEMBER(listeners[1].address), "127.0.0.1:9443", "[::]:1", "[::]:1", "localhost:443",
       "expected an address and a port"},
      {"/listeners/0/forwarding", MEMBER(listeners[1].forwarding), "auto", "splice", "splice", "zero-copy",
       "expected one of auto, bypass, wire, sockmap, splice, copy"},
      {"/listeners/0/proxy_protocol", MEMBER(listeners[1].proxy_protocol), "off", "required", "required", "v1",
       "expected off, required"},
      {"/whitelist",
       MEMBER(routes[0].sni[0]),
       "www.example.org",
       {"*.B.example."},
       "*.b.example",
       "a.example",
       "expected a list of names"},
      {"/socks5_whitelist",
       MEMBER(routes[1].sni.back()),
       "a.example",
       {"c.example"},
       "c.example",
       {"*"},
       "expected a name or *.suffix"},
      {"/ip_whitelist",
       MEMBER(clients.size()),
       "1",
       {"192.0.2.7", "2001:db8::/32", "10.0.0.0/8"},
       "3",
       {"192.0.2.256"},
       "expected an address, a network"},
      {"/max_connections", MEMBER(limits.connections), "10000", 50000, "50000", -1, whole},
      {"/forwarding", MEMBER(forwarding), "auto", "copy", "copy", 3, "expected one of auto, bypass"},
      {"/upstream_port", MEMBER(upstream_port), "443", 8443, "8443", 65536, "from 1 to 65535"},
      {"/workers", MEMBER(workers), "0", 4, "4", 1025, "from 0 to 1024"},
      {"/user", MEMBER(user), "nobody", "www-data", "www-data", "", "expected the name of a user"},
      {"/admin", MEMBER(admin), "none", "127.0.0.1:9100", "127.0.0.1:9100", "9100", "expected an address and a port"},
      {"/access_log", MEMBER(access_log), "", "/var/log/access.json", "/var/log/access.json", no, "expected text"},
      {"/control", MEMBER(control), "/run/sonde-proxy.sock", "", "", "proxy.sock", "expected a path from / on"},
      {"/socks5",
       MEMBER(socks5->server),
       "127.0.0.1:1080",
       {{"addr", "s.example:1"}},
       "s.example:1",
       "127.0.0.1:1080",
       "expected an object with addr, username, password"},
      {"/socks5/addr", MEMBER(socks5->server), "127.0.0.1:1080", "[::1]:1081", "[::1]:1081", "127.0.0.1",
       "expected the SOCKS5 server"},
      {"/socks5/username", MEMBER(socks5->username), "u", "user", "user", 5, "expected text"},
      {"/socks5/password", MEMBER(socks5->password), "p", "secret", "secret", std::string(256, 'x'),
       "expected at most 255 bytes"},
      {"/routes",
       MEMBER(routes.size()),
       "3",
       Json::array({{{"sni", {"c.example"}}}}),
       "2",
       {{"sni", {"c.example"}}},
       "expected a list of objects"},
      {"/routes/0/name", MEMBER(routes[1].name), "routes[0]", "backends", "backends", std::string(65, 'x'),
       "expected 1 to 64 bytes"},
      {"/routes/0/sni",
       MEMBER(routes[1].sni),
       "a.example",
       {"A.example", "a.example.", "*.d.example"},
       "a.example *.d.example",
       {"a.*.example"},
       "expected a name or *.suffix"},
      {"/routes/0/upstreams",
       MEMBER(routes[1].upstreams),
       "192.0.2.1:443 192.0.2.2:443",
       {"Backend.example.:1", "[2001:db8::7]:2"},
       "backend.example:1 [2001:db8::7]:2",
       {"192.0.2.1"},
       "expected host:port"},
      {"/routes/0/balance", MEMBER(routes[1].balance), "round", "least_connections", "least", "fastest",
       "expected round_robin, least_connections"},
      {"/routes/0/health_check",
       MEMBER(routes[1].health_check.rise),
       "2",
       {{"interval", 1}, {"rise", 7}},
       "7",
       Json::object(),
       "interval: is not there"},
      {"/routes/0/health_check/interval", MEMBER(routes[1].health_check.interval), "5000ms", "250ms", "250ms", 0, time},
      {"/routes/0/health_check/timeout", MEMBER(routes[1].health_check.timeout), "2000ms", 0.5, "500ms", "2", time},
      {"/routes/0/health_check/rise", MEMBER(routes[1].health_check.rise), "2", 5, "5", 0, whole},
      {"/routes/0/health_check/fall", MEMBER(routes[1].health_check.fall), "3", 1, "1", 1.5, whole},
      {"/routes/0/proxy_protocol", MEMBER(routes[1].proxy_protocol), "off", "v2", "v2", "v3",
       "expected one of off, v1, v2"},
      {"/routes/1/socks5", MEMBER(routes[2].socks5), "false", yes, "true", 1, boolean},
      {"/routes/0/forwarding", MEMBER(routes[1].forwarding), "none", "bypass", "bypass", "sockmaps",
       "did you mean sockmap?"},
      {"/ip_traffic_tracking/enabled", MEMBER(ip_traffic.enabled), "false", yes, "true", "yes", boolean},
      {"/ip_traffic_tracking/max_tracked_ips", MEMBER(ip_traffic.max_tracked_ips), "10000", 1000, "1000", 0, whole},
      {"/ip_traffic_tracking/output_file", MEMBER(ip_traffic.output_file), "", "ips.json", "ips.json", 1,
       "expected text"},
      {"/ip_traffic_tracking/persistence_file",
       MEMBER(ip_traffic.persistence_file),
       "",
       "p.json",
       "p.json",
       {"p"},
       "expected text"},
      {"/domain_ip_tracking/enabled", MEMBER(domain_ips.enabled), "false", yes, "true", 1, boolean},
      {"/domain_ip_tracking/output_file", MEMBER(domain_ips.output_file), "", "d.json", "d.json", no, "expected text"},
      {"/log/level", MEMBER(log.level), "info", "trace", "trace", "INFO", "expected one of off, error, warn"},
      {"/log/output", MEMBER(log.output), "stdout", "stderr", "stderr", "syslog", "expected one of stdout, stderr"},
      {"/log/file_path", MEMBER(log.file_path), "", "logs/a.log", "logs/a.log", std::string("a\0b", 3),
       "expected text without control characters"},
      {"/log/enable_rotation", MEMBER(log.enable_rotation), "false", yes, "true", 1, boolean},
      {"/log/max_size_mb", MEMBER(log.max_size_mb), "100", 10, "10", 0, whole},
      {"/log/max_backups", MEMBER(log.max_backups), "5", 0, "0", 1001, whole},
      {"/log/show_timestamp", MEMBER(log.show_timestamp), "true", no, "false", 0, boolean},
      {"/log/show_module", MEMBER(log.show_module), "true", no, "false", "no", boolean},
      {"/log/use_color", MEMBER(log.use_color), "true", no, "false", "never", boolean},
      {"/ebpf/enabled", MEMBER(ebpf.enabled), "true", no, "false", 0, boolean},
      {"/ebpf/sockmap/enabled", MEMBER(ebpf.sockmap), "true", no, "false", 0, boolean},
      {"/ebpf/sockmap/max_entries", MEMBER(ebpf.sockmap_entries), "65536", 1024, "1024", 1, whole},
      {"/ebpf/dns_cache/enabled", MEMBER(ebpf.dns_cache), "true", no, "false", 0, boolean},
      {"/ebpf/dns_cache/max_entries", MEMBER(ebpf.dns_cache_entries), "10000", 500, "500", 1000001, whole},
      {"/ebpf/dns_cache/pinned", MEMBER(ebpf.dns_cache_pinned), "true", no, "false", 0, boolean},
      {"/ebpf/stats/enabled", MEMBER(ebpf.stats), "true", no, "false", 0, boolean},
      {"/ebpf/xdp/enabled", MEMBER(ebpf.xdp), "false", yes, "true", 1, boolean},
      {"/ebpf/xdp/interface", MEMBER(ebpf.xdp_interface), "", "eth0", "eth0", "name-of-17-bytes-",
       "expected the name of an interface"},
      {"/wire/connections", MEMBER(wire.connections), "65536", 1000000, "1000000", 1000001, whole},
      {"/wire/after_bytes", MEMBER(wire.after_bytes), "16384", 0, "0", -1, whole},
      {"/wire/after", MEMBER(wire.after), "50ms", 0, "0ms", "25h", "from 0ms to 1d"},
      {"/wire/max_age", MEMBER(wire.max_age), "0ms", "365d", "31536000000ms", "366d", "from 0ms to 365d"},
      {"/timeouts/hello", MEMBER(timeouts.hello), "10000ms", "1.5s", "1500ms", "1.5", time},
      {"/timeouts/connect", MEMBER(timeouts.connect), "5000ms", 3, "3000ms", -3, time},
      {"/timeouts/dns", MEMBER(timeouts.dns), "5000ms", "2s", "2000ms", "2 s", time},
      {"/timeouts/idle", MEMBER(timeouts.idle), "3600000ms", "7d", "604800000ms", "366d", "from 10ms to 365d"},
      {"/timeouts/half_closed", MEMBER(timeouts.half_closed), "3600000ms", "5m", "300000ms", "9ms",
       "from 10ms to 365d"},
      {"/timeouts/drain", MEMBER(timeouts.drain), "30000ms", 0, "0ms", 1e300, "from 0ms to 1d"},
      {"/limits/connections_per_client", MEMBER(limits.connections_per_client), "0", 100, "100", 1e300, whole},
      {"/limits/hello_bytes", MEMBER(limits.hello_bytes), "65536", 16384, "16384", 511, whole},
      {"/dns/servers",
       MEMBER(dns.servers),
       "",
       {"192.0.2.53", "[2001:db8::53]:5353", "2001:db8::53"},
       "192.0.2.53 [2001:db8::53]:5353 2001:db8::53",
       {"dns.example"},
       "expected an address, with or without a port"},
      {"/dns/max_ttl", MEMBER(dns.max_ttl), "3600s", "1m", "60s", "1500ms", "expected whole seconds"},
      {"/dns/negative_ttl", MEMBER(dns.negative_ttl), "30s", 0, "0s", "25h", "from 0ms to 1d"},
  };
  return table;
}

// "/routes/0/balance" as errors write it: "routes[0].balance".
std::string path_of(const std::string& pointer) {
  std::string path;
  std::istringstream words(pointer.substr(1));
  for (std::string word; std::getline(words, word, '/');) {
    const bool index = word.find_first_not_of("0123456789") == std::string::npos;
    path += index ? "[" + word + "]" : (path.empty() ? "" : ".") + word;
  }
  return path;
}

TEST(ProxyConfigKeys, WithoutItTheDefaultHolds) {
  const auto config = parse(document());
  for (const auto& key : keys()) EXPECT_EQ(key.read(config), key.by_default) << key.pointer;
}

TEST(ProxyConfigKeys, IsHonoured) {
  for (const auto& key : keys()) {
    SCOPED_TRACE(key.pointer);
    const auto config = parse(with(document(), key.pointer, key.value));
    ASSERT_FALSE(testing::Test::HasFailure());
    EXPECT_EQ(key.read(config), key.set);
    EXPECT_NE(key.set, key.by_default) << "the table cannot tell";
  }
}

TEST(ProxyConfigKeys, AWrongValueIsNamed) {
  for (const auto& key : keys()) {
    SCOPED_TRACE(key.pointer);
    const auto error = error_of(with(document(), key.pointer, key.wrong));
    EXPECT_THAT(error, HasSubstr(": " + path_of(key.pointer)));
    EXPECT_THAT(error, HasSubstr(key.expected));
  }
}

TEST(ProxyConfigKeys, EveryOtherTypeIsAnError) {
  const std::vector<Json> values = {nullptr, true, 7, 2.5, "~", Json::array({Json::array()}), {{"~", 1}}};
  for (const auto& key : keys()) {
    int accepted = 0;
    for (const auto& value : values) {
      const auto text = with(document(), key.pointer, value).dump(2);
      const auto config = parse_proxy_config(text, "test.json");
      accepted += config.has_value();
      if (!config) {
        EXPECT_EQ(config.error().kind, ErrorKind::usage);
      }
    }
    // A time may be 7 and 2.5; a file may be "~" or null.
    EXPECT_LE(accepted, 2) << key.pointer;
  }
}

// The keys of each object as the parser knows them must be those of the table.
TEST(ProxyConfigKeys, TheTableHasThemAll) {
  std::map<std::string, std::set<std::string>> table;
  for (const auto& key : keys()) {
    const std::string pointer = key.pointer;
    std::string object = pointer.substr(0, pointer.rfind('/'));
    table[object == "/routes/1" ? "/routes/0" : object].insert(pointer.substr(pointer.rfind('/') + 1));
    for (; !object.empty(); object = object.substr(0, object.rfind('/')))
      if (!std::isdigit(static_cast<unsigned char>(object.back())))
        table[object.substr(0, object.rfind('/'))].insert(object.substr(object.rfind('/') + 1));
  }
  for (const auto& [object, members] : table) {
    const auto error = error_of(with(document(), object + "/no-such-key-at-all", 1));
    EXPECT_THAT(error, HasSubstr("no such key"));
    const std::string before = members.size() > 1 ? ": expected one of " : ": expected ";
    const auto at = error.find(before);
    ASSERT_NE(at, std::string::npos) << error;
    std::set<std::string> known;
    std::istringstream words(error.substr(at + before.size()));
    for (std::string word; words >> word;) known.insert(word.substr(0, word.find(',')));
    EXPECT_EQ(known, members) << object;
  }
}

std::string read_source(const std::string& path) {
  std::ifstream file(std::string(SONDE_SOURCE_DIR) + "/" + path);
  std::stringstream text;
  text << file.rdbuf();
  EXPECT_FALSE(text.str().empty()) << path;
  return text.str();
}

// Its tables write keys in backquotes; `routes[].sni` stands for those of all routes.
TEST(ProxyConfigKeys, TheManualHasThemAll) {
  const auto manual = read_source("docs/proxy.md");
  const std::set<std::string> objects = {"listeners", "routes", "routes[].health_check", "socks5"};
  for (const auto& key : keys()) {
    const auto path = std::regex_replace(path_of(key.pointer), std::regex("\\[[0-9]+\\]"), "[]");
    if (objects.contains(path)) continue;
    const bool in_a_row = manual.find("\n| `" + path + "`") != std::string::npos;
    EXPECT_TRUE(in_a_row || manual.find(", `" + path + "` |") != std::string::npos) << path;
  }
}

TEST(ProxyConfigKeys, TheExampleIsAccepted) {
  const auto config = parse_text(read_source("examples/proxy.json"));
  EXPECT_EQ(config.routes.size(), 3U);
}

TEST(ProxyConfigKeys, NullStandsForWhatIsLeftOut) {
  for (const char* const pointer : {"/socks5", "/log", "/ip_traffic_tracking", "/domain_ip_tracking", "/ebpf", "/wire",
                                    "/admin", "/access_log", "/log/file_path", "/ip_traffic_tracking/output_file",
                                    "/ip_traffic_tracking/persistence_file", "/domain_ip_tracking/output_file"}) {
    (void)parse(with(document(), pointer, nullptr));
  }
  auto anonymous = with(with(document(), "/socks5/username", nullptr), "/socks5/password", nullptr);
  EXPECT_EQ(parse(anonymous).socks5->username, "");
}

TEST(ProxyConfigKeys, ListenAddrMayBeAList) {
  const auto config = parse(with(least_document(), "/listen_addr", {"0.0.0.0:443", "[::]:443"}));
  ASSERT_EQ(config.listeners.size(), 2U);
  EXPECT_EQ(config.listeners[0].address.text(), "0.0.0.0:443");
  EXPECT_EQ(config.listeners[1].address.text(), "[::]:443");
}

// Wherever the key stands in the file.
TEST(ProxyConfigKeys, TheForwardingOfAllHoldsWhereAListenerSaysNothing) {
  const auto config = parse_text(R"({"listeners": [{"address": "127.0.0.1:1"}, {"address": "127.0.0.1:2",
    "forwarding": "auto"}], "listen_addr": "127.0.0.1:3", "whitelist": ["a.example"], "forwarding": "copy"})");
  ASSERT_EQ(config.listeners.size(), 3U);
  std::map<int, ProxyForwarding> forwarding;
  for (const auto& listener : config.listeners) forwarding[listener.address.port] = listener.forwarding;
  EXPECT_EQ(forwarding[1], ProxyForwarding::copy);
  EXPECT_EQ(forwarding[2], ProxyForwarding::automatic);
  EXPECT_EQ(forwarding[3], ProxyForwarding::copy);
}

// By the word: `wire` needs no sockmap.
TEST(ProxyConfigKeys, EachPathIsSwitchedOnByItsName) {
  auto document = with(least_document(), "/ebpf/sockmap/enabled", false);
  for (const auto forwarding : {ProxyForwarding::automatic, ProxyForwarding::wire, ProxyForwarding::splice}) {
    const auto config = parse(with(document, "/forwarding", proxy_forwarding_name(forwarding)));
    EXPECT_EQ(config.listeners[0].forwarding, forwarding);
  }
}

TEST(ProxyConfigKeys, ListsBecomeRoutes) {
  auto document = with(least_document(), "/socks5_whitelist", {"*.a.example", "b.example"});
  const auto config = parse(with(document, "/socks5/addr", "127.0.0.1:1080"));
  ASSERT_EQ(config.routes.size(), 2U);
  EXPECT_EQ(config.routes[0].name, "whitelist");
  EXPECT_FALSE(config.routes[0].socks5);
  EXPECT_EQ(config.routes[1].name, "socks5_whitelist");
  EXPECT_TRUE(config.routes[1].socks5);
  EXPECT_EQ(text_of(config.routes[1].sni), "*.a.example b.example");
}

}  // namespace
}  // namespace sonde::proxy
