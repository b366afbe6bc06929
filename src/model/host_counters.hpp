// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace sonde {

/// A count of lost packets that the kernel keeps itself.
struct HostCounter {
  std::string source;  ///< "softnet", "tcp", "qdisc", "interface", "driver"
  std::string where;   ///< "cpu1"; "listen queues"; "eth0 fq_codel 8001:"; "eth0"
  std::string name;    ///< "dropped", "rx_missed_errors"
  std::uint64_t value = 0;
};

using HostCounters = std::vector<HostCounter>;

/// How much each counter of `after` has grown since `before`, those that have not left out. One that is not in `before`
/// (a new interface) has grown from 0; one that is smaller now was made anew.
[[nodiscard]] HostCounters host_counter_growth(const HostCounters& before, const HostCounters& after);

}  // namespace sonde
