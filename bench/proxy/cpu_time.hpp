// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <vector>

namespace sonde::bench {

/// Seconds of CPU.
struct CpuTime {
  double machine = 0;    ///< all CPUs, everything but idle and waiting (/proc/stat)
  double processes = 0;  ///< user and system time of some processes (/proc/PID/stat)
  double scheduled = 0;  ///< the same as the scheduler counts it, finer (/proc/PID/task/*/schedstat)

  friend CpuTime operator-(CpuTime a, CpuTime b) {
    return {a.machine - b.machine, a.processes - b.processes, a.scheduled - b.scheduled};
  }
};
[[nodiscard]] CpuTime cpu_time(const std::vector<int>& pids);

}  // namespace sonde::bench
