// SPDX-License-Identifier: Apache-2.0
// One process as /proc shows it.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sonde/owner.hpp"

namespace sonde::enrich {

/// /proc/PID/stat gives the start time in ticks of USER_HZ, which is 100 on every machine that Linux has: a start time
/// in nanoseconds and one from /proc are of one process when the ticks are equal.
inline constexpr std::uint64_t ns_per_tick = 10'000'000;

/// Longest command line that is kept; what is longer is cut, and its last word then ends with "...".
inline constexpr std::size_t most_command_line = 2048;

/// What /proc has of a process now. start_time_ns is that of the tick; user and start_wall_ns are not filled in.
/// Nothing: there is no such process, or it ended while it was read. `root`: where proc is mounted; `runc_states`: as
/// in container.hpp.
[[nodiscard]] std::optional<Process> read_process(const std::string& root, std::uint32_t pid,
                                                  const std::string& runc_states = {});
/// Its start time alone, in ticks.
[[nodiscard]] std::optional<std::uint64_t> read_start_ticks(const std::string& root, std::uint32_t pid);
/// Every process that runs now.
[[nodiscard]] std::vector<std::uint32_t> list_processes(const std::string& root);

/// argv as it lies in memory: words that end with a zero each. Zeros that a program left behind the title it gave
/// itself are no words.
[[nodiscard]] std::vector<std::string> split_command_line(std::string_view bytes, bool cut);

/// comm, parent and start time of the text of /proc/PID/stat. The name stands in parentheses and may hold any byte.
struct Stat {
  std::string comm;
  std::uint32_t parent_pid = 0;
  std::uint64_t start_ticks = 0;
};
[[nodiscard]] std::optional<Stat> parse_stat(std::string_view text);
/// Effective uid of the text of /proc/PID/status.
[[nodiscard]] std::optional<std::uint32_t> parse_effective_uid(std::string_view text);

}  // namespace sonde::enrich
