// SPDX-License-Identifier: Apache-2.0
#include "actuators/guard/tables/rule_set_map.hpp"

#include <algorithm>

#include "kernel/object.hpp"

namespace sonde::guard {

Result<RuleSetMap> RuleSetMap::create(const Blob& blob) {
  const auto values = (blob.elements + SONDE_GUARD_ELEMENTS_IN_VALUE - 1) / SONDE_GUARD_ELEMENTS_IN_VALUE;
  auto map = kernel::MappedArray::create("guard_rule_set", SONDE_GUARD_VALUE_SIZE, values, true);
  if (!map) return std::unexpected(map.error());
  std::ranges::copy(blob.bytes, map->memory().begin());
  return RuleSetMap(std::move(*map));
}

Result<std::optional<RuleSetMap>> RuleSetMap::current(int guard_rules_fd) {
  auto fd = kernel::inner_map(guard_rules_fd, 0);
  if (!fd) return std::unexpected(fd.error());
  if (!*fd) return std::optional<RuleSetMap>{};
  auto map = kernel::MappedArray::open(std::move(**fd));
  if (!map) return std::unexpected(map.error());
  return std::optional<RuleSetMap>(RuleSetMap(std::move(*map)));
}

// The kernel waits for a grace period of RCU before it returns from updating a map of maps (maybe_wait_bpf_programs(),
// Linux 4.20, 1ae80cf31938): no program still runs with the map that was replaced.
Result<void> replace_rule_set(int guard_rules_fd, const RuleSetMap& next) {
  const std::uint32_t slot = 0;
  const int fd = next.fd();
  return kernel::map_update(guard_rules_fd, &slot, &fd);
}

}  // namespace sonde::guard
