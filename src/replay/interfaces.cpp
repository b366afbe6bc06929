// SPDX-License-Identifier: Apache-2.0
#include "replay/interfaces.hpp"

namespace sonde::replay {

Result<std::uint32_t> Interfaces::add(const std::string& name, LinkType link) {
  constexpr std::size_t limit = 65'536;
  const auto known = numbers_.find({name, link});
  if (known != numbers_.end()) return known->second;
  if (table_.size() >= limit) return fail(ErrorKind::failed, "the file names more than 65536 interfaces");
  const auto number = static_cast<std::uint32_t>(table_.size() + 1);
  numbers_.emplace(std::pair{name, link}, number);
  table_.emplace(number, Interface{name, link});
  return number;
}

}  // namespace sonde::replay
