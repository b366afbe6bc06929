// SPDX-License-Identifier: Apache-2.0
#include "model/host_counters.hpp"

#include <map>
#include <tuple>

namespace sonde {

HostCounters host_counter_growth(const HostCounters& before, const HostCounters& after) {
  const auto key = [](const HostCounter& counter) { return std::tie(counter.source, counter.where, counter.name); };
  std::map<decltype(key(before.front())), std::uint64_t> old;
  for (const auto& counter : before) old[key(counter)] = counter.value;
  HostCounters grown;
  for (const auto& counter : after) {
    const auto found = old.find(key(counter));
    const std::uint64_t start = found == old.end() || found->second > counter.value ? 0 : found->second;
    if (counter.value <= start) continue;
    grown.push_back(counter);
    grown.back().value = counter.value - start;
  }
  return grown;
}

}  // namespace sonde
