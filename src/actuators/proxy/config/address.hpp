// SPDX-License-Identifier: Apache-2.0
// Addresses, ports and hosts as the configuration writes them.
#pragma once
#include <optional>
#include <string_view>
#include <vector>

#include "sonde/endpoint.hpp"
#include "sonde/guard.hpp"
#include "sonde/proxy.hpp"

namespace sonde::proxy {

/// "192.0.2.1:443", "[2001:db8::1]:443"; the port is 1 to 65535. Nothing: it is not that.
[[nodiscard]] std::optional<Endpoint> parse_endpoint(std::string_view word);
/// The same, or an address alone, with or without brackets: port 0.
[[nodiscard]] std::optional<Endpoint> parse_address(std::string_view word);
/// "backend.example:443", "192.0.2.1:443", "[2001:db8::1]:443". A name is folded.
[[nodiscard]] std::optional<ProxyUpstream> parse_upstream(std::string_view word);

/// As parse_guard_network(), and also IPv6 networks that hold ::ffff:0:0/96, such as ::/0: in the list they do not
/// stand for IPv4, and are split into networks that leave it out.
[[nodiscard]] Result<std::vector<GuardNetwork>> parse_client_network(std::string_view word);

}  // namespace sonde::proxy
