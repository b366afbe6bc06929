// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/route/routes.hpp"

#include <algorithm>
#include <ranges>
#include <unordered_set>

namespace sonde::proxy {
namespace {

using Group = std::shared_ptr<UpstreamGroup>;

bool suits(const Group& group, const ProxyRoute& route) {
  return group && group->same_as(route.upstreams, route.balance, route.health_check);
}

/// Gives the groups of `before` to the routes that go on with them: first by name, then to whoever has the same.
class Inheritance {
 public:
  Inheritance(const ProxyConfig& config, const Routes* before) {
    if (before == nullptr) return;
    for (const auto& route : before->all())
      if (route->upstreams) groups_.emplace(route->config.name, route->upstreams);
    for (const auto& route : config.routes)
      if (const auto group = of_name(route.name); suits(group, route)) given_.insert(group);
  }
  Group find(const ProxyRoute& route) {
    auto named = of_name(route.name);
    if (suits(named, route)) return named;
    for (const auto& [name, group] : groups_)
      if (suits(group, route) && given_.insert(group).second) return group;
    return std::make_shared<UpstreamGroup>(route.upstreams, route.balance, route.health_check, named.get());
  }

 private:
  [[nodiscard]] Group of_name(const std::string& name) const {
    const auto found = groups_.find(name);
    return found == groups_.end() ? Group() : found->second;
  }
  std::unordered_map<std::string, Group> groups_;
  std::unordered_set<Group> given_;
};

// The last address that has these bits.
std::array<std::uint8_t, 16> last_of(const GuardNetwork& network) {
  auto address = network.address;
  for (unsigned byte = 0; byte < address.size(); ++byte) {
    const int bits = std::clamp(static_cast<int>(network.length) - static_cast<int>(byte) * 8, 0, 8);
    address[byte] |= static_cast<std::uint8_t>(0xff >> bits);
  }
  return address;
}

// False: it was the last address.
bool next_address(std::array<std::uint8_t, 16>& address) {
  return std::ranges::any_of(address | std::views::reverse, [](std::uint8_t& byte) { return ++byte != 0; });
}

}  // namespace

Routes::Routes(const ProxyConfig& config, const Routes* before) {
  Inheritance inheritance(config, before);
  for (const auto& from : config.routes) {
    auto& route = routes_.emplace_back(std::make_unique<Route>(Route{from, nullptr}));
    if (!from.upstreams.empty()) route->upstreams = inheritance.find(from);
    for (const auto& pattern : from.sni) {
      if (pattern.starts_with("*."))
        suffixes_.try_emplace(pattern.substr(2), route.get());
      else
        exact_.try_emplace(pattern, route.get());
    }
  }
}

const Route* Routes::find(std::string_view name) const {
  if (const auto found = exact_.find(name); found != exact_.end()) return found->second;
  for (auto dot = name.find('.'); dot != std::string_view::npos && !suffixes_.empty(); dot = name.find('.')) {
    name.remove_prefix(dot + 1);
    if (const auto found = suffixes_.find(name); found != suffixes_.end()) return found->second;
  }
  return nullptr;
}

Clients::Clients(const std::vector<GuardNetwork>& networks) : everybody_(networks.empty()) {
  std::vector<Range> all;
  all.reserve(networks.size());
  for (const auto& network : networks) all.push_back({network.address, last_of(network)});
  std::ranges::sort(all, {}, &Range::first);
  for (const auto& range : all) {
    if (!ranges_.empty()) {
      auto beyond = ranges_.back().last;
      if (!next_address(beyond) || range.first <= beyond) {
        ranges_.back().last = std::max(ranges_.back().last, range.last);
        continue;
      }
    }
    ranges_.push_back(range);
  }
}

bool Clients::allows(const Endpoint& client) const {
  if (everybody_) return true;
  const auto after = std::ranges::upper_bound(ranges_, client.address, {}, &Range::first);
  return after != ranges_.begin() && client.address <= std::prev(after)->last;
}

}  // namespace sonde::proxy
