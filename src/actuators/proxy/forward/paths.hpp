// SPDX-License-Identifier: Apache-2.0
// The paths that this host has: each is made, tried with data and kept if what arrived is what was sent.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "actuators/proxy/path/path.hpp"
#include "actuators/proxy/wire/wire.hpp"

namespace sonde::proxy {

struct Paths {
  std::unique_ptr<KernelPath> bypass;  ///< null: not here, or not wanted
  std::unique_ptr<Wire> wire;
  std::unique_ptr<KernelPath> sockmap;
  bool splice = true;
  std::vector<ProxyPathState> states;  ///< one a path, in the order of ProxyForwarding, automatic left out

  /// "forwarding: bypass, splice, copy on; sockmap off (not asked for)"
  [[nodiscard]] std::string summary() const;
};

/// Loads the programs and tries every path that the configuration wants with data over loopback. What does not work is
/// off, with the reason in `states`; that is no error. `sockmap` is made only where a listener or route asks for it.
[[nodiscard]] Paths make_paths(const ProxyConfig& config);

}  // namespace sonde::proxy
