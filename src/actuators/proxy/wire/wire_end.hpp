// SPDX-License-Identifier: Apache-2.0
// When a connection on the wire is over.
#pragma once
#include <cstdint>
#include <optional>

#include "actuators/proxy/wire/keeper.hpp"

namespace sonde::proxy {

/// Of one that is SPLICED. Nullopt: it goes on. `now`: CLOCK_MONOTONIC, ns.
[[nodiscard]] std::optional<WireEndReason> end_of(const sonde_wire_connection& connection, const WireLimits& limits,
                                                  std::uint64_t now);
/// Whether the keeper has to reset its peers.
[[nodiscard]] bool needs_reset(WireEndReason reason);
/// How long after its last packet late ones are still translated.
[[nodiscard]] std::chrono::nanoseconds linger_of(WireEndReason reason);
/// Of its last packet; when it was joined, if there was none.
[[nodiscard]] std::uint64_t last_seen(const sonde_wire_connection& connection);

}  // namespace sonde::proxy
