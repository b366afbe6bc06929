// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/server/changes.hpp"

#include <gtest/gtest.h>

namespace sonde::proxy {
namespace {

struct Change {
  const char* key;
  void (*make)(ProxyConfig& config);
};

constexpr Change kept[] = {
    {"workers", [](ProxyConfig& config) { config.workers = 7; }},
    {"user", [](ProxyConfig& config) { config.user = "root"; }},
    {"control", [](ProxyConfig& config) { config.control = "/run/other.sock"; }},
    {"admin",
     [](ProxyConfig& config) {
       config.admin = Endpoint{{}, 9090};
     }},
    {"access_log", [](ProxyConfig& config) { config.access_log = "-"; }},
    {"log", [](ProxyConfig& config) { config.log.level = "debug"; }},
    {"ip_traffic_tracking", [](ProxyConfig& config) { config.ip_traffic.enabled = true; }},
    {"domain_ip_tracking", [](ProxyConfig& config) { config.domain_ips.enabled = true; }},
    {"ebpf", [](ProxyConfig& config) { config.ebpf.sockmap_entries = 5; }},
    {"wire.connections", [](ProxyConfig& config) { config.wire.connections = 5; }},
    {"dns", [](ProxyConfig& config) { config.dns.servers = {"192.0.2.53"}; }},
    {"timeouts.dns", [](ProxyConfig& config) { config.timeouts.dns = std::chrono::seconds(1); }},
};

TEST(Changes, WhatIsKeptIsNamed) {
  for (const auto& change : kept) {
    ProxyConfig after;
    change.make(after);
    EXPECT_EQ(kept_key_that_differs({}, after), change.key);
  }
}

TEST(Changes, TheRestMayChange) {
  ProxyConfig after;
  after.routes.push_back({.name = "new", .sni = {"a.example"}, .upstreams = {}, .health_check = {}, .forwarding = {}});
  after.listeners.push_back({});
  after.clients.push_back({});
  after.timeouts.idle = std::chrono::seconds(1);
  after.limits.connections = 1;
  after.wire.after_bytes = 1;
  after.wire.after = std::chrono::seconds(1);
  after.wire.max_age = std::chrono::hours(1);
  EXPECT_EQ(kept_key_that_differs({}, after), "");
}

TEST(Changes, AListenerIsItsAddressAndItsSettings) {
  const ProxyListener one{.address = {{}, 443}};
  const ProxyListener other{.address = {{}, 444}};
  ProxyListener changed = one;
  changed.forwarding = ProxyForwarding::copy;
  EXPECT_TRUE(listeners_without({one, other}, {other, one}).empty());
  EXPECT_EQ(listeners_without({one, other}, {changed, other}).size(), 1U);
  EXPECT_EQ(listeners_without({changed, other}, {one}).size(), 2U);
}

}  // namespace
}  // namespace sonde::proxy
