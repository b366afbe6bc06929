// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <string>

#include "sonde/stats.hpp"

namespace sonde::cli {

struct StatsStyle {
  std::uint32_t width = 0;  ///< columns of the terminal; narrow ones get no bytes. 0: no limit
  bool color = false;
};

/// Tables: rates of the interval; counts, sizes and protocols since the start, beside the interfaces' own.
[[nodiscard]] std::string stats_text(const TrafficStats& total, const TrafficStats& interval, const StatsStyle& style);

/// An object an interface, each with its line end (docs/json.md).
[[nodiscard]] std::string stats_json(const TrafficStats& total, const TrafficStats& interval);

}  // namespace sonde::cli
