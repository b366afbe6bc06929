// SPDX-License-Identifier: Apache-2.0
// Names of users, kept once they were looked up.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>

namespace sonde::enrich {

/// Not thread-safe.
class Users {
 public:
  /// Name of a uid; empty: it has none.
  [[nodiscard]] const std::string& name_of(std::uint32_t uid);

 private:
  std::unordered_map<std::uint32_t, std::string> names_;
};

/// The uid of a user's name; nothing: there is no such user.
[[nodiscard]] std::optional<std::uint32_t> uid_of(const std::string& name);

}  // namespace sonde::enrich
