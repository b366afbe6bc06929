// SPDX-License-Identifier: Apache-2.0
// Where the paths of the kernel come from. Tests put their own in their place.
#pragma once
#include <functional>
#include <memory>

#include "actuators/proxy/forward/paths.hpp"
#include "actuators/proxy/wire/trial.hpp"

namespace sonde::proxy {

using PathMaker = std::function<Result<std::unique_ptr<KernelPath>>(const ProxyConfig&)>;

[[nodiscard]] Result<std::unique_ptr<KernelPath>> make_bypass(const ProxyConfig& config);
[[nodiscard]] Result<std::unique_ptr<KernelPath>> make_sockmap(const ProxyConfig& config);
[[nodiscard]] Result<std::unique_ptr<Wire>> make_wire(const ProxyConfig& config);

struct PathMakers {
  PathMaker bypass = make_bypass;
  PathMaker sockmap = make_sockmap;
  std::function<WireTrial()> wire_trial = try_wire;
  /// Made if the trial has passed.
  std::function<Result<std::unique_ptr<Wire>>(const ProxyConfig&)> wire = make_wire;
};

/// make_paths(config) with other makers.
[[nodiscard]] Paths make_paths(const ProxyConfig& config, const PathMakers& makers);

}  // namespace sonde::proxy
