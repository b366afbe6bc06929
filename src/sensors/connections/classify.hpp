// SPDX-License-Identifier: Apache-2.0
// What the kernel's counters, flags and error say about a connection. Pure functions.
#pragma once
#include <cstdint>

#include "sensors/connections/connections.abi.h"
#include "sonde/connection.hpp"

namespace sonde::connections {

/// Why a connection was never established: by the error and the flags of an event of kind SONDE_CONNECTION_FAILED.
[[nodiscard]] ConnectionEnd classify_failure(const sonde_connection_event& event);

/// How an established connection ended: by the state that it left for CLOSE, the error and the flags.
[[nodiscard]] ConnectionEnd classify_close(const sonde_connection_event& event);

/// Who opened a connection that is older than sonde. The kernel counts the SYN of the side that connects, and no other,
/// as an acknowledged byte, so the acknowledged bytes are one more than the payload that was sent. Where segments were
/// lost before they left this host the kernel's counters do not tell: unknown.
[[nodiscard]] ConnectionDirection infer_direction(const sonde_tcp_counters& counters, std::uint8_t flags);

/// Payload that the peer acknowledged, without SYN and FIN.
[[nodiscard]] std::uint64_t payload_sent(const sonde_tcp_counters& counters, std::uint8_t flags,
                                         ConnectionDirection direction);
/// Payload that came in order, without the peer's FIN.
[[nodiscard]] std::uint64_t payload_received(const sonde_tcp_counters& counters, std::uint8_t flags);

}  // namespace sonde::connections
