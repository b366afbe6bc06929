// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <string_view>

#include "model/host_counters.hpp"

namespace sonde::drops {

/// The statistics of the interface's driver that count lost packets, XDP's included, as `ethtool -S` shows them.
[[nodiscard]] HostCounters read_driver_counters(int socket, const std::string& interface);

/// Does a counter with this name count lost packets? Drivers choose the names.
[[nodiscard]] bool counts_loss(std::string_view name);

}  // namespace sonde::drops
