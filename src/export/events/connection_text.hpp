// SPDX-License-Identifier: Apache-2.0
// Words and figures that lines, tables and summaries of connections share.
#pragma once
#include <chrono>
#include <cstdint>
#include <string>

#include "sonde/connection.hpp"

namespace sonde::exporter {

/// "local FIN", "remote RST" ...: connection_end_name() for people.
[[nodiscard]] const char* end_text(ConnectionEnd end);
/// "->", "<-", "--".
[[nodiscard]] const char* direction_arrow(ConnectionDirection direction);
/// "EHOSTUNREACH"; "error 999" where the C library knows no name.
[[nodiscard]] std::string error_text(int error);
/// "0.312 ms", "12.3 ms", "1.234 s", "12 min 3 s".
[[nodiscard]] std::string time_span_text(std::chrono::nanoseconds span);
[[nodiscard]] std::string rtt_text(std::uint32_t microseconds);
/// "512 B", "1.2 kB", "3.4 MB": decimal.
[[nodiscard]] std::string bytes_text(std::uint64_t bytes);
/// Does the kernel count for this socket? Not for UDP, LISTEN, TIME-WAIT and requests.
[[nodiscard]] bool has_counters(const Connection& connection);

}  // namespace sonde::exporter
