// SPDX-License-Identifier: Apache-2.0
// Address blocks of rules.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "sonde/guard.hpp"

namespace sonde::guard {

/// As parse_guard_network().
[[nodiscard]] Result<GuardNetwork> parse_network(std::string_view word);

/// "192.0.2.0/24", "2001:db8::1", "any".
[[nodiscard]] std::string network_text(const GuardNetwork& network);

[[nodiscard]] bool contains(const GuardNetwork& network, const std::array<std::uint8_t, 16>& address);

}  // namespace sonde::guard
