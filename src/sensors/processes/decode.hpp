// SPDX-License-Identifier: Apache-2.0
// Records of the processes programs as what a ProcessTable is told.
#pragma once
#include <cstdint>
#include <optional>
#include <span>

#include "enrich/process/process_table.hpp"

namespace sonde::processes {

/// Tells the table what the record in `bytes` says. False: they are no record.
bool tell(enrich::ProcessTable& table, std::span<const std::uint8_t> bytes);

/// The process that the record says has executed a program; nothing: the record says something else.
[[nodiscard]] std::optional<enrich::ProcessKey> executed_in(std::span<const std::uint8_t> bytes);

}  // namespace sonde::processes
