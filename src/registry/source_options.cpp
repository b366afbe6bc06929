// SPDX-License-Identifier: Apache-2.0
#include "registry/source_options.hpp"

namespace sonde::registry {

std::vector<std::string_view> owner_options(const OwnerOptions& owner) {
  const OwnerOptions defaults;
  GivenOptions given;
  given.add(!owner.filter.pids.empty(), "--pid");
  given.add(!owner.filter.processes.empty(), "--process");
  given.add(!owner.filter.users.empty(), "--user");
  given.add(!owner.filter.containers.empty(), "--container");
  given.add(owner.hook != defaults.hook, "--hook");
  given.add(owner.map_size != defaults.map_size, "--owner-map-size");
  return given.all();
}

Result<void> check_options(const std::string& source, std::span<const char* const> own,
                           const std::vector<std::string_view>& given) {
  for (const auto option : given) {
    const auto has = [&](const char* known) { return known == option; };
    if (std::ranges::none_of(own, has))
      return fail(ErrorKind::usage, std::string(option) + ": source " + source + " has no such option");
  }
  return {};
}

}  // namespace sonde::registry
