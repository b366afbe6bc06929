// SPDX-License-Identifier: Apache-2.0
// Connections that a proxy has left on the wire when it ended.
#pragma once
#include <cstdint>
#include <functional>

#include "actuators/proxy/wire/keeper.hpp"
#include "actuators/proxy/wire/table.hpp"
#include "sonde/result.hpp"

namespace sonde::proxy {

/// Keeps the table, until it is empty or `goes_on`, which is told how many are left several times a second, says false.
/// Programs and pins of an empty table are removed. How many are left. An error if another process keeps it.
[[nodiscard]] Result<std::uint32_t> drain_left_behind(Table& table, const WireLimits& limits, WireObserver& observer,
                                                      const std::function<bool(std::uint32_t left)>& goes_on);
/// Resets them all, and removes programs and pins. How many there were.
[[nodiscard]] Result<std::uint32_t> abort_left_behind(Table& table, WireObserver& observer);

/// For a table that Table::find() cannot read, because another version of sonde has made it: removes programs and pins.
/// The stack resets each peer when it next sends something.
[[nodiscard]] Result<void> remove_unreadable_table();

}  // namespace sonde::proxy
