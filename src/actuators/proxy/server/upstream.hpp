// SPDX-License-Identifier: Apache-2.0
// From a route to a connection: whose turn it is, its addresses, and SOCKS5 where the route wants it.
#pragma once
#include <memory>
#include <string>

#include "actuators/proxy/resolve/resolver.hpp"
#include "actuators/proxy/route/routes.hpp"
#include "actuators/proxy/server/connect.hpp"
#include "actuators/proxy/stats/statistics.hpp"

namespace sonde::proxy {

struct UpstreamRequest {
  Loop& loop;
  Resolver& resolver;
  Statistics& statistics;
  unsigned worker = 0;
  const ProxyConfig& config;
  const Route& route;
  std::string server_name;
  std::function<void(int fd, const Endpoint& address)> prepare;  ///< before connect()
};

struct ReachedUpstream {
  std::unique_ptr<Channel> channel;
  Endpoint address;  ///< of the socket; with SOCKS5 the server's
  std::string name;  ///< "host:port" as configured, or of the server name
  Socks5Traffic socks5;
  std::shared_ptr<UpstreamGroup> group;  ///< where it counts as a connection, see UpstreamGroup::ended()
  std::size_t index = 0;
  Clock::time_point resolved_at;
  std::string detail;  ///< why it failed
};

/// Tries upstreams in turn until one is reached. `reached` is filled as far as it came.
[[nodiscard]] Task<Refusal> reach_upstream(const UpstreamRequest& request, ReachedUpstream& reached);

}  // namespace sonde::proxy
