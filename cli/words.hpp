// SPDX-License-Identifier: Apache-2.0
// Words of the command line as values. Errors name the option, the word and what was expected.
#pragma once
#include <chrono>
#include <cstdint>
#include <string>

#include "sonde/result.hpp"

namespace sonde::cli {

/// Decimal digits only, up to `most`.
[[nodiscard]] Result<std::uint64_t> parse_number(const std::string& option, const std::string& word,
                                                 std::uint64_t most = UINT64_MAX);
/// "10s", "500ms", "2m", "1h", "1.5s"; a number alone is seconds. Longer than nothing, at most a year.
[[nodiscard]] Result<std::chrono::nanoseconds> parse_duration(const std::string& option, const std::string& word);
/// Bytes: "65536", "64K", "16M", "1G" (powers of 1024).
[[nodiscard]] Result<std::uint64_t> parse_size(const std::string& option, const std::string& word);
/// --color: "auto" (when the output is a terminal), "always", "never".
[[nodiscard]] Result<bool> parse_color(const std::string& word, bool terminal);

}  // namespace sonde::cli
