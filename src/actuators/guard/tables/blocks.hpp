// SPDX-License-Identifier: Apache-2.0
// IPv4 ranges to the tables that a packet's address is looked up in, by its upper bits.
#pragma once
#include <vector>

#include "actuators/guard/tables/nodes.hpp"
#include "actuators/guard/tables/ranges.hpp"

namespace sonde::guard {

struct Blocks {
  std::vector<Reference> index;
  std::vector<sonde_guard_bucket4> buckets;  ///< a power of two
};

[[nodiscard]] Blocks add_ipv4(const std::vector<Range<Address4>>& ranges, Nodes& nodes);

/// One bit a /24 that has a rule (guard.abi.h), a power of two of them; empty: it would be too large.
[[nodiscard]] std::vector<std::uint32_t> make_filter(const std::vector<Range<Address4>>& ranges);

}  // namespace sonde::guard
