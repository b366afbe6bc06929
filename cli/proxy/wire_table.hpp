// SPDX-License-Identifier: Apache-2.0
// Connections on the wire for people and for programs.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "sonde/proxy.hpp"

namespace sonde::cli {

/// By --sort WORD: "bytes", "packets", "repeated", "age", "idle", the greatest first, or "client". Those that are equal
/// stand by client.
[[nodiscard]] Result<void> sort_wire_connections(std::vector<ProxyWireConnection>& connections,
                                                 const std::string& word);

/// A row a connection, and a line that sums them up. Columns for which there is no room are left out, and named at the
/// end. `room`: columns of the terminal; 0: no limit.
[[nodiscard]] std::string wire_table_text(std::span<const ProxyWireConnection> connections, bool color,
                                          std::size_t room = 0);
/// An object of type wire_connection a line (docs/json.md).
[[nodiscard]] std::string wire_table_json(std::span<const ProxyWireConnection> connections);

}  // namespace sonde::cli
