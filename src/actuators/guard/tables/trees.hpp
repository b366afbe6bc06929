// SPDX-License-Identifier: Apache-2.0
// IPv6 ranges to the search tree that a packet's address is looked up in.
#pragma once
#include <cstdint>
#include <vector>

#include "actuators/guard/tables/nodes.hpp"
#include "actuators/guard/tables/ranges.hpp"

namespace sonde::guard {

/// The reference of the root.
[[nodiscard]] Reference add_ipv6(const std::vector<Range<Address6>>& ranges, Nodes& nodes);

}  // namespace sonde::guard
