// SPDX-License-Identifier: Apache-2.0
// The columns of tables of flows and groups.
#pragma once
#include <chrono>
#include <cstdint>
#include <span>
#include <string>

#include "sonde/flow_stream.hpp"

namespace sonde::exporter {

struct FlowColumn {
  const char* heading;
  bool right;           ///< aligned
  std::uint8_t weight;  ///< the least goes first where the terminal is narrow
  std::string (*cell)(const FlowTable& table, const FlowRow& row);
};

[[nodiscard]] std::span<const FlowColumn> flow_columns();
[[nodiscard]] std::span<const FlowColumn> group_columns();

/// "512", "12.3k", "456M": decimal, at most 5 characters up to 999 P.
[[nodiscard]] std::string scaled_text(double value);
/// Bits a second of these bytes in this time.
[[nodiscard]] std::string rate_text(std::uint64_t bytes, std::chrono::nanoseconds time);

}  // namespace sonde::exporter
