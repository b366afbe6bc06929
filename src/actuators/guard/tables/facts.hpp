// SPDX-License-Identifier: Apache-2.0
// What the table builders ask about a rule, without its strings: a byte each, so that a million stay in the cache.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "actuators/guard/guard.abi.h"
#include "sonde/guard.hpp"

namespace sonde::guard {

struct RuleFacts {
  std::uint8_t verdict = 0;     ///< enum sonde_guard_verdict
  std::uint8_t directions = 0;  ///< SONDE_GUARD_IN, SONDE_GUARD_OUT
  /// It decides every packet of its directions whose address is in its network: nothing but the address is asked, and
  /// the verdict is one that ends the search.
  bool plain = false;
  bool over = false;       ///< has expired already: matches nothing
  std::uint8_t needs = 0;  ///< enum sonde_guard_needs
};

[[nodiscard]] std::uint8_t direction_bits(GuardDirection direction);
/// IPv4 networks are those of ::ffff:0:0/96.
[[nodiscard]] bool is_ipv4(const GuardNetwork& network);
/// Every address of a family or of both: such rules are in no address table.
[[nodiscard]] bool covers_family(const GuardNetwork& network);
/// SONDE_GUARD_FAMILY4, SONDE_GUARD_FAMILY6
[[nodiscard]] std::uint8_t families(const GuardNetwork& network);

[[nodiscard]] std::vector<RuleFacts> rule_facts(std::span<const GuardRule> rules, std::int64_t now_wall_ns);

}  // namespace sonde::guard
