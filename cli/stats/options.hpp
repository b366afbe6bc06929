// SPDX-License-Identifier: Apache-2.0
// The options of `sonde stats`.
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "environment.hpp"
#include "sonde/stats.hpp"

namespace sonde::cli {

struct StatsRun {
  StatsOptions options;
  bool json = false;
  bool color = false;
  std::chrono::nanoseconds interval{std::chrono::seconds(1)};
  std::chrono::nanoseconds duration{};  ///< 0: no limit
  std::uint64_t count = 0;              ///< of samples; 0: no limit
};

/// A value without a run: the exit status of --help or of a wrong word, which has been printed.
struct ParsedStats {
  std::optional<StatsRun> run;
  int status = well;
};
[[nodiscard]] ParsedStats parse_stats(const Environment& env, std::vector<std::string> arguments);

}  // namespace sonde::cli
