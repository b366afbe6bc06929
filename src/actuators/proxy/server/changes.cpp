// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/server/changes.hpp"

#include <algorithm>
#include <tuple>

namespace sonde::proxy {
namespace {

template <class T, class... Members>
bool same(const T& one, const T& other, Members... members) {
  return ((one.*members == other.*members) && ...);
}

bool same_log(const ProxyLog& one, const ProxyLog& other) {
  return same(one, other, &ProxyLog::level, &ProxyLog::output, &ProxyLog::file_path, &ProxyLog::enable_rotation,
              &ProxyLog::max_size_mb, &ProxyLog::max_backups, &ProxyLog::show_timestamp, &ProxyLog::show_module,
              &ProxyLog::use_color);
}

bool same_ebpf(const ProxyEbpf& one, const ProxyEbpf& other) {
  return same(one, other, &ProxyEbpf::enabled, &ProxyEbpf::sockmap, &ProxyEbpf::sockmap_entries, &ProxyEbpf::dns_cache,
              &ProxyEbpf::dns_cache_entries, &ProxyEbpf::dns_cache_pinned, &ProxyEbpf::stats, &ProxyEbpf::xdp,
              &ProxyEbpf::xdp_interface);
}

bool same_traffic(const ProxyIpTraffic& one, const ProxyIpTraffic& other) {
  return same(one, other, &ProxyIpTraffic::enabled, &ProxyIpTraffic::max_tracked_ips, &ProxyIpTraffic::output_file,
              &ProxyIpTraffic::persistence_file);
}

struct Fixed {
  const char* key;
  bool (*same)(const ProxyConfig& before, const ProxyConfig& after);
};

using Config = const ProxyConfig&;

// What was opened, sized or given up at the start.
constexpr Fixed fixed[] = {
    {"workers", [](Config a, Config b) { return a.workers == b.workers; }},
    {"user", [](Config a, Config b) { return a.user == b.user; }},
    {"control", [](Config a, Config b) { return a.control == b.control; }},
    {"admin", [](Config a, Config b) { return a.admin == b.admin; }},
    {"access_log", [](Config a, Config b) { return a.access_log == b.access_log; }},
    {"log", [](Config a, Config b) { return same_log(a.log, b.log); }},
    {"ip_traffic_tracking", [](Config a, Config b) { return same_traffic(a.ip_traffic, b.ip_traffic); }},
    {"domain_ip_tracking",
     [](Config a, Config b) {
       return same(a.domain_ips, b.domain_ips, &ProxyDomainIps::enabled, &ProxyDomainIps::output_file);
     }},
    {"ebpf", [](Config a, Config b) { return same_ebpf(a.ebpf, b.ebpf); }},
    {"wire.connections", [](Config a, Config b) { return a.wire.connections == b.wire.connections; }},
    {"dns",
     [](Config a, Config b) {
       return same(a.dns, b.dns, &ProxyDns::servers, &ProxyDns::max_ttl, &ProxyDns::negative_ttl);
     }},
    {"timeouts.dns", [](Config a, Config b) { return a.timeouts.dns == b.timeouts.dns; }},
};

}  // namespace

std::string_view kept_key_that_differs(const ProxyConfig& before, const ProxyConfig& after) {
  for (const auto& [key, same_in] : fixed)
    if (!same_in(before, after)) return key;
  return {};
}

std::vector<ProxyListener> listeners_without(const std::vector<ProxyListener>& all,
                                             const std::vector<ProxyListener>& others) {
  std::vector<ProxyListener> rest;
  for (const auto& listener : all)
    if (std::ranges::none_of(others, [&](const auto& other) {
          return same(listener, other, &ProxyListener::address, &ProxyListener::forwarding,
                      &ProxyListener::proxy_protocol);
        }))
      rest.push_back(listener);
  return rest;
}

std::vector<Endpoint> addresses_of(const ProxyConfig& config) {
  std::vector<Endpoint> addresses;
  addresses.reserve(config.listeners.size());
  for (const auto& listener : config.listeners) addresses.push_back(listener.address);
  return addresses;
}

}  // namespace sonde::proxy
