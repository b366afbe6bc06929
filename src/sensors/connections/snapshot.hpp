// SPDX-License-Identifier: Apache-2.0
// The TCP and UDP sockets that are open now.
#pragma once
#include <vector>

#include "sensors/events/sensor.hpp"
#include "sonde/connection.hpp"
#include "sonde/result.hpp"

namespace sonde::connections {

/// In all network namespaces that can be found (kernel/network_namespaces.hpp), ordered by namespace, protocol, local
/// and remote end. A namespace is a moment of its own, and a socket that opens or closes meanwhile may be there or not.
[[nodiscard]] Result<std::vector<Connection>> snapshot(const events::SensorRequest& request);

}  // namespace sonde::connections
