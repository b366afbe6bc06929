// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/server/upstream.hpp"

#include <cerrno>

namespace sonde::proxy {
namespace {

// The addresses of host:port, or why there are none.
Task<Refusal> find_addresses(const UpstreamRequest& request, const ProxyUpstream& target, ReachedUpstream& reached,
                             Addresses& addresses) {
  auto resolved = co_await request.resolver.resolve(target.host);
  reached.resolved_at = Clock::now();
  if (!resolved) {
    reached.detail = resolved.error().text();
    co_return resolved.error().code == ETIMEDOUT ? Refusal::dns_timeout : Refusal::dns_failed;
  }
  if (resolved->from_cache) request.statistics.add(request.worker, Counter::dns_cache_hits);
  if (resolved->asked) request.statistics.add(request.worker, Counter::dns_cache_misses);
  addresses = std::move(resolved->addresses);
  for (auto& address : addresses) address.port = target.port;
  co_return Refusal::none;
}

Task<Refusal> connect_to(const UpstreamRequest& request, const ProxyUpstream& target, ReachedUpstream& reached) {
  Addresses addresses;
  const auto unresolved = co_await find_addresses(request, target, reached, addresses);
  if (unresolved != Refusal::none) co_return unresolved;
  ConnectOptions options{request.config.timeouts.connect, request.prepare};
  auto connected = co_await connect_any(request.loop, std::move(addresses), std::move(options));
  if (!connected) {
    reached.detail = connected.error().text();
    co_return connected.error().code == ETIMEDOUT ? Refusal::connect_timeout : Refusal::connect_failed;
  }
  reached.channel = std::move(connected->channel);
  reached.address = connected->address;
  co_return Refusal::none;
}

// SOCKS5 resolves the target's name.
Task<Refusal> connect_by_socks5(const UpstreamRequest& request, const ProxyUpstream& target, ReachedUpstream& reached) {
  const auto deadline = request.loop.now() + request.config.timeouts.connect;
  const auto refusal = co_await connect_to(request, request.config.socks5->server, reached);
  if (refusal != Refusal::none) co_return refusal;
  auto asked = co_await connect_through(request.loop, *reached.channel, *request.config.socks5, target, deadline);
  if (!asked) {
    reached.channel.reset();
    reached.detail = asked.error().text();
    co_return asked.error().code == ETIMEDOUT ? Refusal::connect_timeout : Refusal::socks5_failed;
  }
  reached.socks5 = *asked;
  co_return Refusal::none;
}

Task<Refusal> try_target(const UpstreamRequest& request, const ProxyUpstream& target, ReachedUpstream& reached) {
  reached.name = target.text();
  Refusal refusal;
  if (request.route.config.socks5)
    refusal = co_await connect_by_socks5(request, target, reached);
  else
    refusal = co_await connect_to(request, target, reached);
  co_return refusal;
}

}  // namespace

Task<Refusal> reach_upstream(const UpstreamRequest& request, ReachedUpstream& reached) {
  const auto& group = request.route.upstreams;
  if (!group) {
    const ProxyUpstream target{request.server_name, request.config.upstream_port};
    const auto refusal = co_await try_target(request, target, reached);
    co_return refusal;
  }
  auto refusal = Refusal::no_healthy_upstream;
  const auto order = group->order();
  for (const auto index : order) {
    refusal = co_await try_target(request, group->upstream(index), reached);
    if (refusal != Refusal::none) continue;
    group->began(index);
    reached.group = group;
    reached.index = index;
    break;
  }
  co_return refusal;
}

}  // namespace sonde::proxy
