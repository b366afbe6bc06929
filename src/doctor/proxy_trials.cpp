// SPDX-License-Identifier: Apache-2.0
#include "doctor/proxy_trials.hpp"

#include <linux/capability.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "actuators/proxy/client_filter/client_filter.hpp"
#include "actuators/proxy/resolve/resolver.hpp"

namespace sonde::doctor {
namespace {

constexpr int attempts = 100;
constexpr std::chrono::milliseconds pause{10};
constexpr const char* filter_advice = "clients are judged after accept all the same; see the hooks";
constexpr const char* cache_advice = "names are kept in memory, and not over restarts";

// 192.0.2.2:443 (RFC 5737): no packet of the trial goes there.
constexpr Endpoint listener{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 2}, 443};

const char* carrier(ProxyForwarding path) {
  switch (path) {
    case ProxyForwarding::bypass: return "sockops, sk_msg";
    case ProxyForwarding::wire: return "tc ingress";
    case ProxyForwarding::sockmap: return "sk_skb";
    case ProxyForwarding::splice: return "pipes";
    default: return "memory";
  }
}

}  // namespace

Finding proxy_path(std::span<const ProxyPathState> states, ProxyForwarding path, const Privileges& privileges) {
  const auto state = std::ranges::find(states, path, &ProxyPathState::path);
  if (state == states.end()) return cannot_tell("the paths could not be tried", "report this");
  if (state->on) return yes(carrier(path));
  const auto needs = [path](int capability) {
    if (path == ProxyForwarding::wire) return true;
    return (path == ProxyForwarding::bypass || path == ProxyForwarding::sockmap) && capability != CAP_SYS_ADMIN;
  };
  for (const int needed : {CAP_BPF, CAP_NET_ADMIN, CAP_SYS_ADMIN})
    if (needs(needed) && !privileges.has(needed))
      return cannot_tell(state->reason, capability(privileges, needed).advice);
  return no(state->reason, path == ProxyForwarding::copy ? "report this" : "the next path takes over");
}

Finding try_client_filter(const PrivateNetwork& network, std::uint16_t port, const Privileges& privileges) {
  const std::vector listeners{listener};
  const auto filter = proxy::ClientFilter::attach({network.receiver_name()}, listeners, {});
  if (!filter) return failure(filter.error(), privileges, CAP_NET_ADMIN, filter_advice);
  for (int attempt = 0; attempt < attempts; ++attempt) {
    if (auto sent = network.send(port); !sent) return failure(sent.error(), privileges, CAP_NET_ADMIN, filter_advice);
    const auto counts = (*filter)->counts();
    if (!counts) return failure(counts.error(), privileges, CAP_BPF, filter_advice);
    if (counts->dropped > 0) return no("it dropped a packet that was for nobody", "report this");
    if (counts->others > 0) return yes((*filter)->interfaces().front().how);
    std::this_thread::sleep_for(pause);
  }
  return no("attached, but no packet arrived there", "report this: the hook is there and stays silent");
}

Finding try_dns_cache(const Privileges& privileges) {
  ProxyConfig config;
  config.ebpf.dns_cache_pinned = false;
  std::string note;
  const auto cache = proxy::DnsCache::open(config, note);
  if (!cache->in_kernel()) {
    if (!privileges.has(CAP_BPF)) return cannot_tell(note, capability(privileges, CAP_BPF).advice);
    return no(note, cache_advice);
  }
  const std::string name = "doctor.sonde.invalid";
  const auto in_a_minute = std::chrono::system_clock::now().time_since_epoch() + std::chrono::minutes{1};
  const proxy::DnsCache::Entry written{
      .addresses = {listener},
      .expires_wall_ns = std::chrono::duration_cast<std::chrono::nanoseconds>(in_a_minute).count()};
  cache->put(name, written);
  proxy::DnsCache::Entry read;
  if (!cache->find(name, read) || read.expires_wall_ns != written.expires_wall_ns || read.addresses.size() != 1 ||
      read.addresses[0].address != listener.address)
    return no("what was written was not read back", cache_advice);
  return yes("LRU map");
}

}  // namespace sonde::doctor
