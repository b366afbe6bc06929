// SPDX-License-Identifier: Apache-2.0
// TCP connections as they are opened, fail and are closed.
#pragma once
#include <memory>

#include "pipeline/events.hpp"
#include "sensors/events/sensor.hpp"
#include "sonde/connection.hpp"
#include "sonde/result.hpp"

namespace sonde::connections {

/// In all network namespaces. An event matches the filter when a packet of its connection would, in either direction.
[[nodiscard]] Result<std::unique_ptr<pipeline::EventSource<Connection>>> open(const events::SensorRequest& request);

}  // namespace sonde::connections
