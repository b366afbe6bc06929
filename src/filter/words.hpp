// SPDX-License-Identifier: Apache-2.0
// The smallest pieces of option parsing.
#pragma once
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "sonde/result.hpp"

namespace sonde::filter {

/// "OPTION WORD: PROBLEM; expected EXPECTED", ErrorKind::usage.
[[nodiscard]] std::unexpected<Error> wrong_word(std::string_view option, std::string_view word,
                                                std::string_view problem, std::string_view expected);

/// Decimal digits only, no sign, no space, at most `limit`.
[[nodiscard]] std::optional<std::uint32_t> parse_number(std::string_view text, std::uint32_t limit);

/// The parts between commas; "a,,b" has an empty one, and so has "".
[[nodiscard]] std::vector<std::string_view> split_commas(std::string_view text);

}  // namespace sonde::filter
