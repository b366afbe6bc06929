// SPDX-License-Identifier: Apache-2.0
// What is known about processes, by pid and start time: a bounded cache, fed by process events and by /proc.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "sonde/owner.hpp"

namespace sonde::enrich {

struct ProcessKey {
  std::uint64_t start_time_ns = 0;  ///< CLOCK_BOOTTIME
  std::uint32_t pid = 0;
  friend auto operator<=>(const ProcessKey&, const ProcessKey&) = default;
};

/// A process ran another program (exec), as the kernel told it.
struct ExecFacts {
  ProcessKey process;
  std::uint32_t parent_pid = 0;
  std::uint32_t uid = 0;
  std::string comm;
  std::string executable;
  std::vector<std::string> command_line;
  std::string cgroup_name;     ///< last components of the cgroup path, as far as the kernel told them
  std::string cgroup_v1_name;  ///< likewise of a controller's own hierarchy on hybrid and v1 hosts; empty: the same
  std::uint32_t network_namespace = 0;  ///< inode number; 0: not known
};

/// Not thread-safe. Exited processes stay, for the events they caused, until the bound is reached: then the longest
/// exited go first. A look-up that finds nothing reads /proc, and believes it only if the start time is the same.
class ProcessTable {
 public:
  /// `root` is where proc is mounted ("/proc"; tests give a folder). At most `capacity` processes are kept.
  /// `runc_states`: where runc keeps the state of its containers, whose ids are any word.
  explicit ProcessTable(std::string root = "/proc", std::size_t capacity = 16384,
                        std::string runc_states = "/run/runc");
  ~ProcessTable();
  ProcessTable(const ProcessTable&) = delete;
  ProcessTable& operator=(const ProcessTable&) = delete;

  /// Reads every process that runs now; those that are kept and run no more are marked as exited.
  void scan();
  /// The child is a copy of the process that made it until it runs another program. `parent_pid`: its parent, if that
  /// is another one (CLONE_PARENT); 0: the same.
  void forked(ProcessKey child, ProcessKey parent, std::uint32_t parent_pid = 0);
  void executed(const ExecFacts& facts);
  void exited(ProcessKey process);

  /// Never null. What is not known stays empty; comm, uid and cgroup id of the task fill in what /proc cannot tell any
  /// more. The same process gives the same object until something about it changes.
  [[nodiscard]] std::shared_ptr<const Process> find(const sonde_task& task);

  /// The process that has this number, or had it last, as far as it is kept; null: none. Looks through all: not for
  /// every event.
  [[nodiscard]] std::shared_ptr<const Process> latest(std::uint32_t pid) const;

  [[nodiscard]] std::size_t size() const;
  /// Processes that were forgotten because of the bound.
  [[nodiscard]] std::uint64_t evicted() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sonde::enrich
