// SPDX-License-Identifier: Apache-2.0
#include "filter/words.hpp"

#include <fmt/format.h>

#include <charconv>

namespace sonde::filter {

std::unexpected<Error> wrong_word(std::string_view option, std::string_view word, std::string_view problem,
                                  std::string_view expected) {
  const std::string_view shown = word.empty() ? "''" : word;
  return fail(ErrorKind::usage, fmt::format("{} {}: {}; expected {}", option, shown, problem, expected));
}

std::optional<std::uint32_t> parse_number(std::string_view text, std::uint32_t limit) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value > limit) return std::nullopt;
  return value;
}

std::vector<std::string_view> split_commas(std::string_view text) {
  std::vector<std::string_view> parts;
  for (std::size_t comma = text.find(','); comma != std::string_view::npos; comma = text.find(',')) {
    parts.push_back(text.substr(0, comma));
    text.remove_prefix(comma + 1);
  }
  parts.push_back(text);
  return parts;
}

}  // namespace sonde::filter
