// SPDX-License-Identifier: Apache-2.0
// The upstreams of a route: whose turn it is, and who is alive. Shared by all workers.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "sonde/proxy.hpp"

namespace sonde::proxy {

class UpstreamGroup {
 public:
  /// Those that `before` has keep their counts, and their health if both groups check it.
  UpstreamGroup(std::vector<ProxyUpstream> upstreams, ProxyBalance balance, ProxyHealthCheck check,
                const UpstreamGroup* before = nullptr);

  /// Upstreams in the order in which they are to be tried: the one whose turn it is first, those that are down last and
  /// only if `and_down`. Empty: all are down.
  [[nodiscard]] std::vector<std::size_t> order(bool and_down = false);
  [[nodiscard]] const ProxyUpstream& upstream(std::size_t index) const { return upstreams_[index]; }
  [[nodiscard]] std::size_t size() const { return upstreams_.size(); }

  /// A connection to it has begun, or is over: what least_connections counts.
  void began(std::size_t index) { states_[index].connections->fetch_add(1, std::memory_order_relaxed); }
  void ended(std::size_t index) { states_[index].connections->fetch_sub(1, std::memory_order_relaxed); }

  /// A health check's result. True: up has become down, or down up.
  bool checked(std::size_t index, bool alive);
  [[nodiscard]] bool up(std::size_t index) const { return states_[index].up.load(std::memory_order_relaxed); }
  [[nodiscard]] std::int64_t connections(std::size_t index) const {
    return states_[index].connections->load(std::memory_order_relaxed);
  }
  [[nodiscard]] const ProxyHealthCheck& health_check() const { return check_; }
  /// Whether a group made of these would be the same.
  [[nodiscard]] bool same_as(const std::vector<ProxyUpstream>& upstreams, ProxyBalance balance,
                             const ProxyHealthCheck& check) const;

 private:
  struct State {
    std::shared_ptr<std::atomic<std::int64_t>> connections;  ///< shared with the groups before
    std::atomic<bool> up{true};
    std::atomic<std::uint32_t> in_a_row{0};  ///< checks that contradict `up`
  };
  std::vector<ProxyUpstream> upstreams_;
  ProxyBalance balance_;
  ProxyHealthCheck check_;
  std::unique_ptr<State[]> states_;
  std::atomic<std::uint32_t> turn_{0};
};

}  // namespace sonde::proxy
