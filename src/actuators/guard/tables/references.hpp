// SPDX-License-Identifier: Apache-2.0
// The 32-bit words of the tables (guard.abi.h).
#pragma once
#include <cstdint>

#include "actuators/guard/guard.abi.h"
#include "actuators/guard/tables/facts.hpp"

namespace sonde::guard {

using Reference = std::uint32_t;
inline constexpr Reference no_rule = 0;

inline Reference rule_reference(std::uint32_t rule, const RuleFacts& facts) {
  return Reference{SONDE_GUARD_KIND_RULE} << SONDE_GUARD_KIND_SHIFT |
         Reference{facts.directions} << SONDE_GUARD_RULE_DIRECTIONS_SHIFT |
         Reference{facts.verdict} << SONDE_GUARD_RULE_VERDICT_SHIFT | rule;
}

inline Reference list_reference(std::uint32_t word) {
  return Reference{SONDE_GUARD_KIND_LIST} << SONDE_GUARD_KIND_SHIFT | word;
}

inline Reference node_reference(std::uint32_t element, std::uint32_t depth) {
  return Reference{SONDE_GUARD_KIND_NODE} << SONDE_GUARD_KIND_SHIFT | depth << SONDE_GUARD_NODE_DEPTH_SHIFT | element;
}

inline std::uint32_t rule_word(std::uint32_t rule, const RuleFacts& facts) {
  return std::uint32_t{facts.verdict} << SONDE_GUARD_WORD_VERDICT_SHIFT | SONDE_GUARD_WORD_RULE |
         std::uint32_t{facts.directions} << SONDE_GUARD_WORD_DIRECTIONS_SHIFT | rule;
}

inline std::uint32_t record_word(std::uint32_t record, const RuleFacts& facts) {
  return std::uint32_t{facts.verdict} << SONDE_GUARD_WORD_VERDICT_SHIFT | record;
}

}  // namespace sonde::guard
