// SPDX-License-Identifier: Apache-2.0
// A rule with conditions, as the programs read it.
#pragma once
#include "actuators/guard/guard.abi.h"
#include "actuators/guard/tables/compile.hpp"
#include "actuators/guard/tables/facts.hpp"

namespace sonde::guard {

/// `number`: place of the rule. `limited_counter`: of what a limit rule drops.
[[nodiscard]] sonde_guard_record make_record(const GuardRule& rule, std::uint32_t number, std::uint32_t limited_counter,
                                             const CompileOptions& options);

}  // namespace sonde::guard
