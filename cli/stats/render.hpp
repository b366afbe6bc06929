// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>

#include "sonde/stats.hpp"

namespace sonde::cli {

/// Tables: rates of the interval; counts, sizes and protocols since the start, beside the interfaces' own.
[[nodiscard]] std::string stats_text(const TrafficStats& total, const TrafficStats& interval, bool color);

/// An object an interface, each with its line end (docs/json.md).
[[nodiscard]] std::string stats_json(const TrafficStats& total, const TrafficStats& interval);

}  // namespace sonde::cli
