// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include <charconv>
#include <cmath>
#include <optional>
#include <string>

#include "sonde/security.hpp"

namespace sonde {

namespace {

std::optional<std::size_t> index_of(std::string_view key) {
  const auto options = security_options();
  for (std::size_t i = 0; i < options.size(); ++i)
    if (key == options[i].key) return i;
  return std::nullopt;
}

/// How many seconds a suffix stands for.
std::optional<double> seconds_of(std::string_view suffix) {
  struct Suffix {
    std::string_view word;
    double seconds;
  };
  static constexpr Suffix suffixes[] = {{"", 1}, {"ms", 1e-3}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};
  for (const auto& each : suffixes)
    if (each.word == suffix) return each.seconds;
  return std::nullopt;
}

std::optional<double> parse(std::string_view word, std::string_view unit) {
  if (unit == "on/off") {
    if (word == "on") return 1;
    if (word == "off") return 0;
  }
  double value = 0;
  const auto* end = word.data() + word.size();
  const auto [rest, error] = std::from_chars(word.data(), end, value, std::chars_format::fixed);
  if (error != std::errc{} || !std::isfinite(value)) return std::nullopt;
  const std::string_view suffix(rest, static_cast<std::size_t>(end - rest));
  if (unit != "s") return suffix.empty() ? std::optional(value) : std::nullopt;
  const auto seconds = seconds_of(suffix);
  return seconds ? std::optional(value * *seconds) : std::nullopt;
}

std::string expected(const SecurityOption& option) {
  const std::string_view unit = option.unit;
  if (unit == "on/off") return "on or off";
  if (unit == "s") return fmt::format("a time from {}s to {}s, such as 90s or 5m", option.least, option.most);
  return fmt::format("a number from {} to {}{}{}", option.least, option.most, unit.empty() ? "" : " ", unit);
}

}  // namespace

SecurityConfig::SecurityConfig() {
  for (const auto& option : security_options()) values_.push_back(option.value);
}

Result<void> SecurityConfig::set(std::string_view key, std::string_view value) {
  const auto index = index_of(key);
  if (!index) {
    std::string like;
    for (const auto& option : security_options()) {
      const std::string_view name = option.key;
      if (name.substr(0, name.find('.')) == key.substr(0, key.find('.')))
        like += (like.empty() ? "" : ", ") + std::string(name);
    }
    return fail(ErrorKind::usage, fmt::format("'{}' is no threshold of a detector", key),
                like.empty() ? "" : "there are " + like);
  }
  const auto& option = security_options()[*index];
  const auto number = parse(value, option.unit);
  const bool whole = std::string_view(option.unit) != "on/off" || (number && (*number == 0 || *number == 1));
  if (!number || !whole || *number < option.least || *number > option.most)
    return fail(ErrorKind::usage, fmt::format("{}: '{}' is not {}", key, value, expected(option)));
  values_[*index] = *number;
  return {};
}

double SecurityConfig::get(std::string_view key) const {
  const auto index = index_of(key);
  return index ? values_[*index] : 0;
}

}  // namespace sonde
