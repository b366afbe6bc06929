// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/forward/paths.hpp"

#include <algorithm>
#include <utility>

#include "actuators/proxy/bypass/bypass.hpp"
#include "actuators/proxy/forward/path_makers.hpp"
#include "actuators/proxy/forward/self_test.hpp"
#include "actuators/proxy/sockmap/sockmap.hpp"

namespace sonde::proxy {
namespace {

bool wants(const ProxyConfig& config, ProxyForwarding forwarding) {
  const auto is = [&](ProxyForwarding other) { return other == forwarding; };
  return (config.listeners.empty() && is(config.forwarding)) ||  // a listener has taken it over
         std::ranges::any_of(config.listeners, is, &ProxyListener::forwarding) ||
         std::ranges::any_of(config.routes,
                             [&](const ProxyRoute& route) { return route.forwarding && is(*route.forwarding); });
}

/// Why the configuration does not want a path of the kernel; empty: it does.
std::string unwanted(const ProxyConfig& config, bool asked_for) {
  if (!config.ebpf.enabled) return "ebpf.enabled is false";
  if (!config.ebpf.sockmap) return "ebpf.sockmap.enabled is false";
  return asked_for ? "" : "not asked for";
}

/// Makes it and tries it; leaves it in `place` if it is good.
ProxyPathState try_kernel_path(ProxyForwarding kind, const std::string& reason_against, const PathMaker& maker,
                               const ProxyConfig& config, std::unique_ptr<KernelPath>& place) {
  if (!reason_against.empty()) return {kind, false, reason_against};
  auto made = maker(config);
  if (!made) return {kind, false, made.error().text()};
  const auto result = test_path(made->get(), true);
  const bool good = result.outcome == SelfTestResult::Outcome::passed;
  if (good) place = std::move(*made);
  return {kind, good, result.text};
}

ProxyPathState try_wire_path(const std::string& reason_against, const PathMakers& makers, const ProxyConfig& config,
                             std::unique_ptr<Wire>& place) {
  if (!reason_against.empty()) return {ProxyForwarding::wire, false, reason_against};
  const auto trial = makers.wire_trial();
  if (trial.outcome != WireTrial::Outcome::passed) return {ProxyForwarding::wire, false, trial.text};
  auto made = makers.wire(config);
  if (!made) return {ProxyForwarding::wire, false, made.error().text()};
  place = std::move(*made);
  return {ProxyForwarding::wire, true, trial.text};
}

std::string with_reason(const ProxyPathState& state) {
  return std::string(proxy_forwarding_name(state.path)) + " off (" + state.reason + ")";
}

}  // namespace

Result<std::unique_ptr<KernelPath>> make_bypass(const ProxyConfig& config) {
  auto made = Bypass::make({.entries = config.ebpf.sockmap_entries, .stats = config.ebpf.stats});
  if (!made) return std::unexpected(made.error());
  return std::unique_ptr<KernelPath>(std::move(*made));
}

Result<std::unique_ptr<KernelPath>> make_sockmap(const ProxyConfig& config) {
  auto made = Sockmap::make({.entries = config.ebpf.sockmap_entries});
  if (!made) return std::unexpected(made.error());
  return std::unique_ptr<KernelPath>(std::move(*made));
}

Result<std::unique_ptr<Wire>> make_wire(const ProxyConfig& config) {
  return Wire::make({.connections = config.wire.connections});
}

Paths make_paths(const ProxyConfig& config, const PathMakers& makers) {
  using enum ProxyForwarding;
  Paths paths;
  const bool asks_bypass = wants(config, automatic) || wants(config, bypass);
  paths.states.push_back(try_kernel_path(bypass, unwanted(config, asks_bypass), makers.bypass, config, paths.bypass));
  const bool asks_wire = wants(config, automatic) || wants(config, ProxyForwarding::wire);
  const std::string against_wire = !config.ebpf.enabled ? "ebpf.enabled is false" : asks_wire ? "" : "not asked for";
  paths.states.push_back(try_wire_path(against_wire, makers, config, paths.wire));
  paths.states.push_back(
      try_kernel_path(sockmap, unwanted(config, wants(config, sockmap)), makers.sockmap, config, paths.sockmap));
  if (auto* made = dynamic_cast<Bypass*>(paths.bypass.get())) made->reset_counters();

  const auto pipes = test_path(nullptr, true);
  paths.splice = pipes.outcome != SelfTestResult::Outcome::failed;
  paths.states.push_back({splice, paths.splice, pipes.text});
  const auto memory = test_path(nullptr, false);
  paths.states.push_back({copy, memory.outcome != SelfTestResult::Outcome::failed, memory.text});
  return paths;
}

Paths make_paths(const ProxyConfig& config) { return make_paths(config, PathMakers{}); }

std::string Paths::summary() const {
  std::string on;
  std::string off;
  for (const auto& state : states) {
    if (state.on)
      on += (on.empty() ? "" : ", ") + std::string(proxy_forwarding_name(state.path));
    else
      off += "; " + with_reason(state);
  }
  return "forwarding: " + (on.empty() ? "nothing" : on) + " on" + off;
}

}  // namespace sonde::proxy

namespace sonde {

std::vector<ProxyPathState> test_proxy_paths() {
  ProxyConfig config;
  config.listeners.push_back({.address = {}, .forwarding = ProxyForwarding::automatic});
  config.listeners.push_back({.address = {}, .forwarding = ProxyForwarding::sockmap});
  proxy::PathMakers makers;
  // It would stay on the interfaces of this host.
  makers.wire = [](const ProxyConfig&) { return Result<std::unique_ptr<proxy::Wire>>(nullptr); };
  return proxy::make_paths(config, makers).states;
}

}  // namespace sonde
