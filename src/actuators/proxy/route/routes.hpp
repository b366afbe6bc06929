// SPDX-License-Identifier: Apache-2.0
// Where a name goes, and who may ask. Built once from a configuration; look-ups may run in every worker at once.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "actuators/proxy/route/upstreams.hpp"
#include "sonde/proxy.hpp"

namespace sonde::proxy {

/// A route and the state of its upstreams.
struct Route {
  ProxyRoute config;
  std::shared_ptr<UpstreamGroup> upstreams;  ///< null: the host that the name names
};

/// Lower case, without a trailing dot. Empty: not a host name (RFC 1123: letters, digits, hyphens, underscores; labels
/// of 1 to 63 bytes, 253 in all). A wildcard's "*." is for the caller to take off.
[[nodiscard]] std::string fold_server_name(std::string_view name);

class Routes {
 public:
  /// Groups that `before` has with the same upstreams and checks are taken over with their health and counts.
  explicit Routes(const ProxyConfig& config, const Routes* before = nullptr);
  /// The route of a folded name: exact before suffix, the longest suffix first. Null: not allowed.
  [[nodiscard]] const Route* find(std::string_view name) const;
  [[nodiscard]] const std::vector<std::unique_ptr<Route>>& all() const { return routes_; }

 private:
  std::vector<std::unique_ptr<Route>> routes_;
  std::unordered_map<std::string, const Route*> exact_;
  std::unordered_map<std::string, const Route*> suffixes_;  ///< without "*."
};

/// The client allow list. Any number of networks, look-up by prefix length.
class Clients {
 public:
  explicit Clients(const std::vector<GuardNetwork>& networks);
  /// True for everybody when the list is empty.
  [[nodiscard]] bool allows(const Endpoint& client) const;

 private:
  struct State;
  std::shared_ptr<const State> state_;
};

}  // namespace sonde::proxy
