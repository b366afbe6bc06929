// SPDX-License-Identifier: Apache-2.0
#include "enrich/process/users.hpp"

#include <pwd.h>

#include <array>

namespace sonde::enrich {
namespace {

constexpr std::size_t most_names = 16384;
using Buffer = std::array<char, 16384>;

}  // namespace

const std::string& Users::name_of(std::uint32_t uid) {
  const auto known = names_.find(uid);
  if (known != names_.end()) return known->second;
  if (names_.size() >= most_names) names_.clear();
  passwd entry{};
  passwd* found = nullptr;
  Buffer buffer;
  ::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found);
  return names_.emplace(uid, found == nullptr ? "" : found->pw_name).first->second;
}

std::optional<std::uint32_t> uid_of(const std::string& name) {
  passwd entry{};
  passwd* found = nullptr;
  Buffer buffer;
  ::getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
  if (found == nullptr) return std::nullopt;
  return found->pw_uid;
}

}  // namespace sonde::enrich
