// SPDX-License-Identifier: Apache-2.0
// Connects to upstreams every so often, to know which of them are alive.
#pragma once
#include <map>
#include <memory>
#include <vector>

#include "actuators/proxy/loop/loop.hpp"
#include "actuators/proxy/loop/task.hpp"
#include "actuators/proxy/resolve/resolver.hpp"
#include "actuators/proxy/server/snapshot.hpp"

namespace sonde::proxy {

class HealthChecks {
 public:
  HealthChecks(Loop& loop, Resolver& resolver) : loop_(loop), resolver_(resolver) {}

  /// Checks the groups of these routes that want it, and those of no others any more.
  void follow(const SnapshotPointer& snapshot);

 private:
  Task<> check(std::shared_ptr<UpstreamGroup> group, std::size_t index);

  Loop& loop_;
  Resolver& resolver_;
  std::map<std::shared_ptr<UpstreamGroup>, std::vector<Task<>>> tasks_;  ///< one an upstream
};

}  // namespace sonde::proxy
