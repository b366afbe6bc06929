// SPDX-License-Identifier: Apache-2.0
// Records of the connections programs as values.
#pragma once
#include <cstdint>
#include <optional>
#include <span>

#include "base/wall_clock.hpp"
#include "sensors/connections/connections.abi.h"
#include "sonde/connection.hpp"

namespace sonde::connections {

/// The record if it is a whole connection event.
[[nodiscard]] std::optional<sonde_connection_event> read_record(std::span<const std::uint8_t> record);

/// Everything but the owner.
[[nodiscard]] Connection connection_from(const sonde_connection_event& event, const WallClock& clock);
[[nodiscard]] Connection connection_from(const sonde_open_socket& open, std::int64_t wall_ns);

}  // namespace sonde::connections
