// SPDX-License-Identifier: Apache-2.0
#include "proxy/cpu_time.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace sonde::bench {
namespace {

double ticks_a_second() { return static_cast<double>(::sysconf(_SC_CLK_TCK)); }

// First line: user nice system idle iowait irq softirq ... (proc(5)).
double machine() {
  std::ifstream file("/proc/stat");
  std::string cpu;
  double user = 0, nice = 0, system = 0, idle = 0, waiting = 0, irq = 0, softirq = 0;
  file >> cpu >> user >> nice >> system >> idle >> waiting >> irq >> softirq;
  return (user + nice + system + irq + softirq) / ticks_a_second();
}

// Fields 14 and 15, counted from behind the name, which may hold anything.
double process(int pid) {
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  std::string line;
  std::getline(file, line);
  const auto name_end = line.rfind(')');
  if (name_end == std::string::npos) return 0;
  std::istringstream rest(line.substr(name_end + 1));
  std::string skipped;
  for (int field = 3; field < 14; ++field) rest >> skipped;
  double user = 0, system = 0;
  rest >> user >> system;
  return (user + system) / ticks_a_second();
}

// First word of each thread's: nanoseconds on a CPU (Documentation/scheduler/sched-stats.rst).
double scheduled(int pid) {
  double seconds = 0;
  std::error_code error;
  for (const auto& task : std::filesystem::directory_iterator(fmt::format("/proc/{}/task", pid), error)) {
    std::ifstream file(task.path() / "schedstat");
    double nanoseconds = 0;
    if (file >> nanoseconds) seconds += nanoseconds / 1e9;
  }
  return seconds;
}

}  // namespace

CpuTime cpu_time(const std::vector<int>& pids) {
  CpuTime time{machine(), 0, 0};
  for (const int pid : pids) {
    time.processes += process(pid);
    time.scheduled += scheduled(pid);
  }
  return time;
}

}  // namespace sonde::bench
