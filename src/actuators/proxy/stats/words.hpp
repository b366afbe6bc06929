// SPDX-License-Identifier: Apache-2.0
// Times and addresses as the files of the proxy have them.
#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "sonde/endpoint.hpp"

namespace sonde::proxy {

/// RFC 3339, UTC, nanoseconds: "2026-11-21T01:03:22.123456789Z".
[[nodiscard]] std::string time_text(std::int64_t wall_ns);
/// "192.0.2.1", "2001:db8::1"; the port stays 0.
[[nodiscard]] std::optional<Endpoint> parse_client_address(const std::string& text);

}  // namespace sonde::proxy
