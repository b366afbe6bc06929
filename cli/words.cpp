// SPDX-License-Identifier: Apache-2.0
#include "words.hpp"

#include <array>
#include <charconv>
#include <string_view>

namespace sonde::cli {
namespace {

struct Unit {
  std::string_view suffix;
  double factor;
};

constexpr std::array<Unit, 5> durations = {{{"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}, {"", 1e9}}};
constexpr std::array<Unit, 4> sizes = {{{"K", 1024.0}, {"M", 1048576.0}, {"G", 1073741824.0}, {"", 1.0}}};

std::unexpected<Error> wrong(const std::string& option, const std::string& word, const std::string& expected) {
  return fail(ErrorKind::usage, option + " '" + word + "': expected " + expected);
}

// A number and a suffix of the table, in the table's base unit; negative when it is neither.
template <std::size_t N>
double parse_with_unit(std::string_view word, const std::array<Unit, N>& units) {
  double number = 0;
  const auto [rest, error] = std::from_chars(word.data(), word.data() + word.size(), number, std::chars_format::fixed);
  if (error != std::errc{}) return -1;
  const std::string_view suffix(rest, static_cast<std::size_t>(word.data() + word.size() - rest));
  for (const auto& unit : units)
    if (suffix == unit.suffix) return number * unit.factor;
  return -1;
}

}  // namespace

Result<std::uint64_t> parse_number(const std::string& option, const std::string& word, std::uint64_t most) {
  std::uint64_t number = 0;
  const auto [rest, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  if (error == std::errc{} && rest == word.data() + word.size() && number <= most) return number;
  const std::string bound = most == UINT64_MAX ? "" : " up to " + std::to_string(most);
  return wrong(option, word, "a whole number" + bound);
}

Result<std::chrono::nanoseconds> parse_duration(const std::string& option, const std::string& word) {
  constexpr double year_ns = 366.0 * 24 * 3600e9;
  const double ns = parse_with_unit(word, durations);
  if (ns >= 1 && ns <= year_ns) return std::chrono::nanoseconds(static_cast<std::int64_t>(ns));
  return wrong(option, word, "a time such as 10s, 500ms, 2m or 1h");
}

Result<std::uint64_t> parse_size(const std::string& option, const std::string& word) {
  constexpr double most = 1024.0 * 1073741824.0;
  const double bytes = parse_with_unit(word, sizes);
  if (bytes >= 1 && bytes <= most) return static_cast<std::uint64_t>(bytes);
  return wrong(option, word, "bytes such as 65536, 64K or 16M");
}

Result<bool> parse_color(const std::string& word, bool terminal) {
  if (word != "auto" && word != "always" && word != "never")
    return fail(ErrorKind::usage, "--color '" + word + "': expected one of auto, always, never");
  return word == "always" || (word == "auto" && terminal);
}

}  // namespace sonde::cli
