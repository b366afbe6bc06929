// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace sonde::decode {

/// One byte that must not reach a terminal as it is: '\' and three decimal digits (RFC 1035 5.1), as dig writes it.
void append_decimal_escape(std::string& out, std::uint8_t byte);

/// Text from the network for a line: printable ASCII stays, '\' is doubled, anything else becomes \DDD.
void append_escaped(std::string& out, std::string_view text);

}  // namespace sonde::decode
