// SPDX-License-Identifier: Apache-2.0
// Looks addresses up in a compiled rule set, as guard.abi.h describes it.
#pragma once
#include <array>
#include <cstdint>
#include <vector>

#include "actuators/guard/tables/compile.hpp"

namespace sonde::test {

/// Numbers of the rules that are asked for the address, in order, those for every address left out.
[[nodiscard]] std::vector<std::uint32_t> rules_of_address(const guard::Blob& blob,
                                                          const std::array<std::uint8_t, 16>& address);
/// Those for every address.
[[nodiscard]] std::vector<std::uint32_t> rules_of_any(const guard::Blob& blob);

}  // namespace sonde::test
