// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/config/value.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace sonde::proxy {
namespace {

struct Unit {
  std::string_view suffix;
  double milliseconds;
};
constexpr Unit units[] = {{"ms", 1}, {"s", 1e3}, {"m", 60e3}, {"h", 3600e3}, {"d", 86400e3}};

// Negative: not a time.
double milliseconds_of(std::string_view word) {
  double number = 0;
  const auto [rest, error] = std::from_chars(word.data(), word.data() + word.size(), number, std::chars_format::fixed);
  if (error != std::errc{}) return -1;
  for (const auto& unit : units)
    if (std::string_view(rest, word.end()) == unit.suffix) return number * unit.milliseconds;
  return -1;
}

std::string duration_text(Milliseconds duration) {
  const auto count = duration.count();
  for (const auto& unit : {units[4], units[3], units[2], units[1]}) {
    const auto whole = static_cast<std::int64_t>(unit.milliseconds);
    if (count > 0 && count % whole == 0) return fmt::format("{}{}", count / whole, unit.suffix);
  }
  return fmt::format("{}ms", count);
}

// Letters that must be changed, added, left out or exchanged with the next one (Damerau).
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> steps(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) {
    for (std::size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        steps[i][j] = i + j;
        continue;
      }
      const std::size_t other = a[i - 1] != b[j - 1] ? 1 : 0;
      steps[i][j] = std::min({steps[i - 1][j] + 1, steps[i][j - 1] + 1, steps[i - 1][j - 1] + other});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        steps[i][j] = std::min(steps[i][j], steps[i - 2][j - 2] + 1);
    }
  }
  return steps[a.size()][b.size()];
}

std::string join(std::span<const std::string_view> words) {
  std::string text;
  for (const auto word : words) text += (text.empty() ? "" : ", ") + std::string(word);
  return text;
}

std::string did_you_mean(std::string_view word) {
  return word.empty() ? std::string() : "did you mean " + std::string(word) + "?";
}

}  // namespace

std::string_view nearest(std::string_view word, std::span<const std::string_view> words) {
  constexpr std::size_t longest = 64;
  if (word.size() > longest) return {};
  std::size_t least = std::max<std::size_t>(word.size() / 3, 1) + 1;
  std::string_view found;
  for (const auto candidate : words) {
    const auto steps = distance(word, candidate);
    if (steps >= least) continue;
    least = steps;
    found = candidate;
  }
  return found;
}

std::string Value::path() const {
  if (parent_ == nullptr) return {};
  if (parent_->node_.kind == Node::Kind::list) return fmt::format("{}[{}]", parent_->path(), index_);
  const auto before = parent_->path();
  return before.empty() ? node_.key : before + "." + node_.key;
}

std::unexpected<Error> Value::error(std::uint32_t line, const std::string& path, const std::string& problem,
                                    const std::string& expected, std::string hint) const {
  return fail(ErrorKind::usage,
              fmt::format("{}:{}: {}{}{}: expected {}", file_, line, path, path.empty() ? "" : ": ", problem, expected),
              std::move(hint));
}

std::unexpected<Error> Value::wrong(const std::string& problem, const std::string& expected) const {
  return error(node_.line, path(), problem, expected);
}

std::unexpected<Error> Value::unexpected(const std::string& expected) const { return wrong(shown(), expected); }

std::unexpected<Error> Value::missing(std::string_view key, const std::string& expected) const {
  const auto before = path();
  return error(node_.line, before + (before.empty() ? "" : ".") + std::string(key), "is not there", expected);
}

std::unexpected<Error> Value::unexpected_choice(std::span<const std::string_view> names) const {
  return error(node_.line, path(), shown(), (names.size() > 2 ? "one of " : "") + join(names),
               is_text() ? did_you_mean(nearest(node_.text, names)) : std::string());
}

std::string Value::shown() const {
  switch (node_.kind) {
    case Node::Kind::null: return "null";
    case Node::Kind::boolean: return node_.boolean ? "true" : "false";
    case Node::Kind::integer: return fmt::format("{}", node_.integer);
    case Node::Kind::real: return fmt::format("{}", node_.real);
    case Node::Kind::text: return in_quotes(node_.text);
    case Node::Kind::list: return node_.children.empty() ? "an empty list" : "a list";
    case Node::Kind::object: return "an object";
  }
  return {};
}

Result<void> Value::read_text(std::string& into) const {
  if (!is_text()) return unexpected("text in quotes");
  const bool control =
      std::ranges::any_of(node_.text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
  if (control) return unexpected("text without control characters");
  into = node_.text;
  return {};
}

Result<void> Value::read_boolean(bool& into) const {
  if (node_.kind != Node::Kind::boolean) return unexpected("true or false");
  into = node_.boolean;
  return {};
}

Result<void> Value::read_number(std::uint64_t least, std::uint64_t most, std::uint64_t& into) const {
  if (node_.kind != Node::Kind::integer || node_.integer < 0 || static_cast<std::uint64_t>(node_.integer) < least ||
      static_cast<std::uint64_t>(node_.integer) > most)
    return unexpected(fmt::format("a whole number from {} to {}", least, most));
  into = static_cast<std::uint64_t>(node_.integer);
  return {};
}

Result<void> Value::read_duration(Milliseconds least, Milliseconds most, Milliseconds& into) const {
  double count = -1;
  if (is_text()) count = milliseconds_of(node_.text);
  if (node_.kind == Node::Kind::integer || node_.kind == Node::Kind::real) count = node_.real * 1e3;
  const bool within = count >= static_cast<double>(least.count()) && count <= static_cast<double>(most.count());
  if (!within)  // also what is no number, "nans"
    return unexpected(fmt::format("a time from {} to {}, such as \"10s\" or \"250ms\"; a number is seconds",
                                  duration_text(least), duration_text(most)));
  into = Milliseconds(static_cast<std::int64_t>(std::llround(count)));
  return {};
}

Result<void> Value::check_keys(std::span<const std::string_view> keys) const {
  if (node_.kind != Node::Kind::object) return unexpected("an object with " + join(keys));
  for (const auto& member : node_.children)
    if (std::ranges::find(keys, member.key) == keys.end()) {
      const auto before = path();
      return error(member.key_line, before + (before.empty() ? "" : ".") + printable(member.key), "no such key",
                   (keys.size() > 1 ? "one of " : "") + join(keys), did_you_mean(nearest(member.key, keys)));
    }
  return {};
}

const Node* Value::find(std::string_view key) const {
  for (const auto& member : node_.children)
    if (member.key == key) return &member;
  return nullptr;
}

Value Value::member_or_this(std::string_view key) const {
  const auto* const node = find(key);
  return node != nullptr ? Value(*node, *this) : *this;
}

}  // namespace sonde::proxy
