// SPDX-License-Identifier: Apache-2.0
// Words that name an entry of a table.
#pragma once
#include <array>
#include <initializer_list>
#include <string>

#include "sonde/result.hpp"

namespace sonde::registry {

template <class T>
struct NamedValue {
  const char* name;
  T value;
};

/// "--output 'xml': expected text, json or hex" for a table whose entries have a name.
template <class Table>
[[nodiscard]] std::unexpected<Error> unknown_choice(const char* option, const std::string& word, const Table& table,
                                                    std::initializer_list<const char*> others = {}) {
  std::string names;
  const auto add = [&](const char* name) { names += (names.empty() ? "" : ", ") + std::string(name); };
  for (const auto* name : others) add(name);
  for (const auto& entry : table) add(entry.name);
  return fail(ErrorKind::usage, std::string(option) + " '" + word + "': expected one of " + names);
}

template <class T, std::size_t N>
[[nodiscard]] Result<T> choose(const char* option, const std::string& word, const std::array<NamedValue<T>, N>& table) {
  for (const auto& entry : table)
    if (word == entry.name) return entry.value;
  return unknown_choice(option, word, table);
}

}  // namespace sonde::registry
