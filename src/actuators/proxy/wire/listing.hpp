// SPDX-License-Identifier: Apache-2.0
// The table as people read it.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "actuators/proxy/wire/table.hpp"
#include "sonde/proxy.hpp"

namespace sonde::proxy {

/// `now`: CLOCK_MONOTONIC, ns. Without what stands in its record. Nullopt: the element holds none that is on the wire.
[[nodiscard]] std::optional<ProxyWireConnection> describe_wire_connection(const sonde_wire_connection& connection,
                                                                          std::uint64_t now);

struct ListedConnection {
  ProxyWireConnection connection;
  std::string record;  ///< empty: there is none
};
/// In the order of the table. Programs and other processes may work on it meanwhile.
[[nodiscard]] std::vector<ListedConnection> list_table(const Table& table);

}  // namespace sonde::proxy
