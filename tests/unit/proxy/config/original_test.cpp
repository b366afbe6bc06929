// SPDX-License-Identifier: Apache-2.0
// Files as the system whose format this is takes them: each way its examples are written.
#include <gtest/gtest.h>

#include "document.hpp"

namespace sonde::proxy {
namespace {

TEST(ProxyConfigOriginal, AddressesAndSocks5WithoutAuthentication) {
  const auto config = parse_text(R"({
    "listen_addr": "0.0.0.0:8443",
    "whitelist": ["www.example.com", "example.org", "*.example.net"],
    "ip_whitelist": ["127.0.0.1"],
    "socks5": {"addr": "127.0.0.1:1080", "username": null, "password": null}
  })");
  EXPECT_EQ(config.routes.size(), 1U);
  EXPECT_EQ(config.routes[0].sni.size(), 3U);
  EXPECT_EQ(config.clients.size(), 1U);
  ASSERT_TRUE(config.socks5);
  EXPECT_EQ(config.socks5->server.text(), "127.0.0.1:1080");
}

TEST(ProxyConfigOriginal, TwoLists) {
  const auto config = parse_text(R"({
    "listen_addr": "0.0.0.0:8443",
    "whitelist": ["www.example.com", "*.example.net"],
    "socks5_whitelist": ["*.example.org", "chat.example"],
    "log": {"level": "info", "output": "both", "file_path": "logs/proxy.log", "enable_rotation": true,
            "max_size_mb": 100, "max_backups": 5, "show_timestamp": true, "show_module": true, "use_color": true},
    "socks5": {"addr": "127.0.0.1:1080", "username": "user", "password": "word"}
  })");
  ASSERT_EQ(config.routes.size(), 2U);
  EXPECT_TRUE(config.routes[1].socks5);
  EXPECT_EQ(config.log.output, "both");
  EXPECT_TRUE(config.log.enable_rotation);
  EXPECT_EQ(config.socks5->password, "word");
}

TEST(ProxyConfigOriginal, NetworksOfBothFamilies) {
  const auto config = parse_text(R"({
    "listen_addr": "0.0.0.0:8443", "whitelist": ["a.example"],
    "ip_whitelist": ["127.0.0.1", "127.0.0.0/8", "192.168.0.0/16", "::1", "fe80::/10", "2001:db8::/32"]
  })");
  EXPECT_EQ(config.clients.size(), 6U);
}

TEST(ProxyConfigOriginal, EverybodyAndNoSocks5) {
  const auto config = parse_text(R"({
    "listen_addr": "0.0.0.0:8443", "whitelist": ["a.example"], "ip_whitelist": ["0.0.0.0/0", "::/0"],
    "log": {"level": "info", "output": "file", "file_path": "/app/logs/proxy.log", "use_color": false}, "socks5": null
  })");
  EXPECT_FALSE(config.socks5);
  EXPECT_FALSE(config.clients.empty());
  EXPECT_FALSE(config.log.use_color);
}

TEST(ProxyConfigOriginal, TrackingToFiles) {
  const auto config = parse_text(R"({
    "listen_addr": "0.0.0.0:443", "whitelist": ["*.a.example", "b.example", "*.b.example"],
    "ip_whitelist": ["10.0.0.0/8"],
    "ip_traffic_tracking": {"enabled": true, "max_tracked_ips": 1000, "output_file": "./ip_traffic_stats.txt",
                            "persistence_file": "./ip_traffic_persist.json"},
    "domain_ip_tracking": {"enabled": true, "output_file": "./domain_ip.txt"}
  })");
  EXPECT_TRUE(config.ip_traffic.enabled);
  EXPECT_EQ(config.ip_traffic.max_tracked_ips, 1000U);
  EXPECT_EQ(config.domain_ips.output_file, "./domain_ip.txt");
}

TEST(ProxyConfigOriginal, Ebpf) {
  const auto config = parse_text(R"({
    "listen_addr": "127.0.0.1:8443", "whitelist": ["a.example"], "max_connections": 50000,
    "ip_whitelist": ["127.0.0.1"],
    "ebpf": {"enabled": true, "sockmap": {"enabled": true, "max_entries": 65536},
             "dns_cache": {"enabled": true, "max_entries": 10000}, "stats": {"enabled": true},
             "xdp": {"enabled": true, "interface": "eth0"}}
  })");
  EXPECT_TRUE(config.ebpf.enabled && config.ebpf.sockmap && config.ebpf.dns_cache && config.ebpf.stats);
  EXPECT_EQ(config.ebpf.xdp_interface, "eth0");
  EXPECT_EQ(config.limits.connections, 50000U);
}

TEST(ProxyConfigOriginal, AnEmptyListBesideOneWithNames) {
  const auto config = parse_text(R"({
    "listen_addr": "127.0.0.1:8443", "whitelist": [], "socks5_whitelist": ["a.example"], "ip_whitelist": [],
    "socks5": {"addr": "127.0.0.1:1080"}
  })");
  ASSERT_EQ(config.routes.size(), 1U);
  EXPECT_EQ(config.routes[0].name, "socks5_whitelist");
}

}  // namespace
}  // namespace sonde::proxy
