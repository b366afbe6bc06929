// SPDX-License-Identifier: Apache-2.0
// Rules as words, and words as rules. Pure: no clock, no kernel.
#pragma once
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sonde/guard.hpp"

namespace sonde::guard {

/// Appends the rules that the words of one command stand for; none for "default pass". Errors name the word.
Result<void> append_rules(std::span<const std::string_view> words, std::int64_t now_wall_ns,
                          std::vector<GuardRule>& rules);

/// Does the line begin with an address, so is it a rule of a plain list?
[[nodiscard]] bool begins_with_network(std::string_view word);

/// The words of a line as a shell takes them apart: quotes and backslashes keep blanks together, # at the begin of a
/// word ends the line. The views are into `line` or, where quotes had to go, into `unquoted`.
Result<void> split_words(std::string_view line, std::vector<std::string_view>& words,
                         std::deque<std::string>& unquoted);

/// The word as split_words() would read it back.
[[nodiscard]] std::string quoted(std::string_view word);

/// "tcp", "47".
[[nodiscard]] std::string protocol_text(std::uint8_t protocol);
/// "443", "8000-8080".
[[nodiscard]] std::string ports_text(const GuardPorts& ports);
/// "1000pps", "10mbit".
[[nodiscard]] std::string rate_text(const GuardRule& rule);
/// "600s"; up to ten seconds "1500ms". Rounded up.
[[nodiscard]] std::string duration_text(std::int64_t ns);
/// What the rule says but its verdict, TTL and comment: "192.0.2.0/24 --dst-port 443".
[[nodiscard]] std::string what_text(const GuardRule& rule);

}  // namespace sonde::guard
