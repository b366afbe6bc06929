// SPDX-License-Identifier: Apache-2.0
// The guard's rules and counts as text and JSON.
#pragma once
#include <cstddef>
#include <optional>
#include <ostream>
#include <vector>

#include "sonde/guard.hpp"

namespace sonde::cli {

void render_list(std::ostream& out, const std::vector<GuardEntry>& entries);
/// An object a line.
void render_list_json(std::ostream& out, const std::vector<GuardEntry>& entries);
/// Lines for `sonde guard apply`.
void render_rules(std::ostream& out, const std::vector<GuardEntry>& entries);

/// `before`: counts of an earlier time, for rates; null: there is none.
void render_stats(std::ostream& out, const GuardStats& stats, const GuardStats* before, std::size_t top);
/// One object.
void render_stats_json(std::ostream& out, const GuardStats& stats, const GuardStats* before);

/// "eth0: in by native XDP, out by tcx"
[[nodiscard]] std::string describe(const GuardInterface& interface);

}  // namespace sonde::cli
