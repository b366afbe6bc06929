// SPDX-License-Identifier: Apache-2.0
// What the tables of packet and flow sources share: which options were given, which source has them, which one opens.
#pragma once
#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sonde/owner.hpp"
#include "sonde/result.hpp"

namespace sonde::registry {

/// Words of options, in the order in which they are asked for.
class GivenOptions {
 public:
  void add(bool given, std::string_view option) {
    if (given) options_.push_back(option);
  }
  void add(const std::vector<std::string_view>& options) {
    options_.insert(options_.end(), options.begin(), options.end());
  }
  [[nodiscard]] const std::vector<std::string_view>& all() const { return options_; }

 private:
  std::vector<std::string_view> options_;
};

/// The options that say something about owners, of those that are set.
[[nodiscard]] std::vector<std::string_view> owner_options(const OwnerOptions& owner);

/// ErrorKind::usage names the first option that the source does not have.
[[nodiscard]] Result<void> check_options(const std::string& source, std::span<const char* const> own,
                                         const std::vector<std::string_view>& given);

/// The first source of the table that `auto` tries and that opens. A wrong word stays wrong with the next source; only
/// a kernel that cannot leads on. `open` takes an entry and why those before it are not used.
template <class Table, class IsDefault, class Open>
[[nodiscard]] auto open_first(const Table& table, const std::vector<std::string_view>& given, IsDefault is_default,
                              Open open) -> decltype(open(*std::begin(table), std::string())) {
  std::string reasons;
  Error last;
  int tried = 0;
  for (const auto& entry : table) {
    if (!is_default(entry)) continue;
    auto opened = open(entry, reasons.empty() ? "" : ", because " + reasons);
    if (opened || opened.error().kind == ErrorKind::usage) return opened;
    reasons += (reasons.empty() ? "" : "; ") + std::string(entry.name) + ": " + opened.error().text();
    last = opened.error();
    ++tried;
  }
  if (tried == 1) return std::unexpected(last);
  if (!reasons.empty())
    return fail(last.kind, "no source can be opened: " + reasons, "`sonde doctor` tells what is missing");
  std::string words;
  for (const auto option : given) words += (words.empty() ? "" : ", ") + std::string(option);
  return fail(ErrorKind::usage, words + ": no source has all of these options");
}

}  // namespace sonde::registry
