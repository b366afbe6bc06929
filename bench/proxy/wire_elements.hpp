// SPDX-License-Identifier: Apache-2.0
// Connections of the wire splice that nobody made: there are not descriptors enough for as many real ones.
#pragma once
#include <cstdint>

#include "actuators/proxy/wire/table.hpp"
#include "sonde/result.hpp"

namespace sonde::bench {

/// Addresses of RFC 6598, which the bench has nowhere else.
[[nodiscard]] Endpoint made_address(std::uint32_t number, std::uint16_t port);

/// Puts the connection into its element, and its flows into FLOWS; it is SPLICED then.
[[nodiscard]] Result<void> put_connection(proxy::Table& table, std::uint32_t index,
                                          const sonde_wire_connection& connection);

/// What the kernel says that the maps of the table take (`memlock` in /proc/self/fdinfo).
[[nodiscard]] Result<std::uint64_t> memory_of(const proxy::Table& table);

struct Cost {
  double one = 0;             ///< of one connection, in a table that holds no other
  double same = 0;            ///< the same beside the others
  double random = 0;          ///< of any of the connections
  std::uint64_t packets = 0;  ///< of each of these
};
/// Nanoseconds a packet of forward_packet, with so many connections.
[[nodiscard]] Result<Cost> measure_cost(std::uint32_t connections, double seconds);

}  // namespace sonde::bench
