// SPDX-License-Identifier: Apache-2.0
// A value of a configuration file and where it stands: "routes[0].balance" on line 12. Reads it as what it should be,
// or gives the error that says all that.
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "actuators/proxy/config/json.hpp"
#include "sonde/result.hpp"

namespace sonde::proxy {

template <class T>
struct Choice {
  const char* name;
  T value;
};

using Milliseconds = std::chrono::milliseconds;

/// Outlived by the tree and by what it was made from.
class Value {
 public:
  /// The whole file.
  Value(const Node& node, const std::string& file) : node_(node), file_(file) {}
  /// A member of an object, or the one at `index` of a list.
  Value(const Node& node, const Value& parent, std::size_t index = 0)
      : node_(node), file_(parent.file_), parent_(&parent), index_(index) {}

  [[nodiscard]] bool is_null() const { return node_.kind == Node::Kind::null; }
  [[nodiscard]] bool is_text() const { return node_.kind == Node::Kind::text; }
  [[nodiscard]] std::uint32_t line() const { return node_.line; }
  [[nodiscard]] const std::string& raw_text() const { return node_.text; }
  /// "routes[0].balance"
  [[nodiscard]] std::string path() const;

  /// "FILE:LINE: PATH: PROBLEM: expected EXPECTED"
  [[nodiscard]] std::unexpected<Error> wrong(const std::string& problem, const std::string& expected) const;
  /// The same; the problem is the value.
  [[nodiscard]] std::unexpected<Error> unexpected(const std::string& expected) const;
  /// A member that is not there.
  [[nodiscard]] std::unexpected<Error> missing(std::string_view key, const std::string& expected) const;

  /// Without control characters.
  Result<void> read_text(std::string& into) const;
  Result<void> read_boolean(bool& into) const;
  Result<void> read_number(std::uint64_t least, std::uint64_t most, std::uint64_t& into) const;
  template <class T>
  Result<void> read_number(std::uint64_t least, std::uint64_t most, T& into) const {
    std::uint64_t number = 0;
    auto done = read_number(least, most, number);
    if (done) into = static_cast<T>(number);
    return done;
  }
  /// "250ms", "10s", "5m", "1h", "7d"; a number is seconds.
  Result<void> read_duration(Milliseconds least, Milliseconds most, Milliseconds& into) const;
  template <class T>
  Result<void> read_choice(std::span<const Choice<T>> choices, T& into) const {
    for (const auto& choice : choices)
      if (is_text() && node_.text == choice.name) {
        into = choice.value;
        return {};
      }
    std::vector<std::string_view> names;
    for (const auto& choice : choices) names.emplace_back(choice.name);
    return unexpected_choice(names);
  }

  /// Calls read(Value) for each of a list.
  template <class Read>
  Result<void> read_list(const std::string& expected, Read read) const {
    if (node_.kind != Node::Kind::list) return unexpected(expected);
    for (std::size_t i = 0; i < node_.children.size(); ++i)
      if (auto done = read(Value(node_.children[i], *this, i)); !done) return done;
    return {};
  }

  /// Fails if it is no object or has a key that is none of these.
  Result<void> check_keys(std::span<const std::string_view> keys) const;
  [[nodiscard]] const Node* find(std::string_view key) const;
  /// Of an object: the member; this where there is none.
  [[nodiscard]] Value member_or_this(std::string_view key) const;

 private:
  [[nodiscard]] std::unexpected<Error> unexpected_choice(std::span<const std::string_view> names) const;
  [[nodiscard]] std::string shown() const;
  [[nodiscard]] std::unexpected<Error> error(std::uint32_t line, const std::string& path, const std::string& problem,
                                             const std::string& expected, std::string hint = {}) const;

  const Node& node_;
  const std::string& file_;
  const Value* parent_ = nullptr;
  std::size_t index_ = 0;
};

/// A key and how its value is read. Tables of these are the grammar.
template <class T>
struct Field {
  std::string_view key;
  Result<void> (*read)(const Value& value, T& into);
};

/// In the order of the table, so that one may use what another before it has set.
template <class T, std::size_t N>
Result<void> read_object(const Value& value, const Field<T> (&fields)[N], T& into) {
  std::string_view keys[N];
  for (std::size_t i = 0; i < N; ++i) keys[i] = fields[i].key;
  if (auto known = value.check_keys(keys); !known) return known;
  for (const auto& field : fields)
    if (const auto* const node = value.find(field.key))
      if (auto done = field.read(Value(*node, value), into); !done) return done;
  return {};
}

/// null stands for an object that is left out.
template <class T, std::size_t N>
Result<void> read_optional_object(const Value& value, const Field<T> (&fields)[N], T& into) {
  return value.is_null() ? Result<void>() : read_object(value, fields, into);
}

/// Of the words the one that is written nearly like it; empty: none.
[[nodiscard]] std::string_view nearest(std::string_view word, std::span<const std::string_view> words);

}  // namespace sonde::proxy
