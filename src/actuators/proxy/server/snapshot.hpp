// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>

#include "actuators/proxy/route/routes.hpp"
#include "sonde/proxy.hpp"

namespace sonde::proxy {

/// A configuration and what was built from it. A reload makes a new one; connections keep the one they began with.
struct Snapshot {
  explicit Snapshot(const ProxyConfig& from, const Snapshot* before = nullptr)
      : config(from), routes(from, before ? &before->routes : nullptr), clients(from.clients) {}

  ProxyConfig config;
  Routes routes;
  Clients clients;
};

using SnapshotPointer = std::shared_ptr<const Snapshot>;

}  // namespace sonde::proxy
