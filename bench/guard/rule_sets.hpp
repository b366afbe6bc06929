// SPDX-License-Identifier: Apache-2.0
// The rule sets of the benches, by formula: the generator of frames makes addresses that hit them without a table.
#pragma once
#include <cstdint>
#include <vector>

#include "sonde/guard.hpp"

namespace sonde::bench {

/// Rule i is for address i * address_multiplier: spread over all of IPv4, none twice (the multiplier is odd).
inline constexpr std::uint32_t address_multiplier = 2'654'435'761U;  // 2^32 / golden ratio (Knuth, 6.4)

struct Cidr {
  std::uint32_t address;  ///< host byte order
  std::uint8_t length;
};

/// Single addresses, as the filters compared with have them.
[[nodiscard]] std::vector<Cidr> addresses(std::uint32_t count);
/// Networks as blocklists have them: half single addresses, a third /24, the rest from /16 to /31. None twice.
[[nodiscard]] std::vector<Cidr> networks(std::uint32_t count);

[[nodiscard]] std::vector<GuardRule> block_rules(const std::vector<Cidr>& cidrs);
[[nodiscard]] std::string text(const Cidr& cidr);

}  // namespace sonde::bench
