// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <span>
#include <string>

#include "export/sinks.hpp"
#include "pipeline/events.hpp"
#include "sonde/connection.hpp"

namespace sonde::exporter {

/// "14:03:22.123456789 closed 10.0.0.1:40000 -> 10.0.0.2:443 local FIN, 1.234 s, sent 120 B, received 3456 B,
/// retransmitted 2, rtt 0.312 ms, curl[4711]". The arrow is "->" outbound, "<-" inbound, "--" unknown.
[[nodiscard]] std::string connection_line(const Connection& connection, bool color);

/// One object on one line (docs/json.md).
[[nodiscard]] std::string connection_json(const Connection& connection);

/// A snapshot in aligned columns under a heading; each line has its end. The network namespace is a column where there
/// are several.
[[nodiscard]] std::string connection_table(std::span<const Connection> connections);

/// By process, by peer, by end; connect latencies. Groups beyond 10,000 are added up as "others".
[[nodiscard]] std::unique_ptr<pipeline::EventSink<Connection>> make_connection_summary(Output output, bool json);

}  // namespace sonde::exporter
