// SPDX-License-Identifier: Apache-2.0
// Where a name goes, and who may ask. Built once from a configuration; look-ups may run in every worker at once.
#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "actuators/proxy/config/server_name.hpp"
#include "actuators/proxy/route/upstreams.hpp"
#include "sonde/proxy.hpp"

namespace sonde::proxy {

/// A route and the state of its upstreams.
struct Route {
  ProxyRoute config;
  std::shared_ptr<UpstreamGroup> upstreams;  ///< null: the host that the name names
};

class Routes {
 public:
  /// Groups that `before` has with the same upstreams, balance and checks are taken over with their health and counts.
  /// Of a route whose upstreams have changed, those that stay keep their counts, and their health if they are checked.
  explicit Routes(const ProxyConfig& config, const Routes* before = nullptr);
  /// The route of a folded name: exact before suffix, the longest suffix first. Null: not allowed.
  [[nodiscard]] const Route* find(std::string_view name) const;
  [[nodiscard]] const std::vector<std::unique_ptr<Route>>& all() const { return routes_; }

 private:
  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  using ByName = std::unordered_map<std::string, const Route*, Hash, std::equal_to<>>;
  std::vector<std::unique_ptr<Route>> routes_;
  ByName exact_;
  ByName suffixes_;  ///< without "*."
};

/// The client allow list. Any number of networks; a look-up is a binary search.
class Clients {
 public:
  explicit Clients(const std::vector<GuardNetwork>& networks);
  /// True for everybody when the list is empty.
  [[nodiscard]] bool allows(const Endpoint& client) const;

 private:
  using Address = std::array<std::uint8_t, 16>;
  /// Both ends belong to it.
  struct Range {
    Address first;
    Address last;
  };
  std::vector<Range> ranges_;  ///< in order; they neither overlap nor touch
  bool everybody_ = false;
};

}  // namespace sonde::proxy
