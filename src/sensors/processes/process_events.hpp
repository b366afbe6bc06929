// SPDX-License-Identifier: Apache-2.0
// Processes as they start, run another program and exit: tp_btf sched_process_fork, _exec, _exit through a ring.
#pragma once
#include <cstdint>
#include <memory>

#include "enrich/process/process_table.hpp"
#include "sonde/result.hpp"

namespace sonde::processes {

class ProcessEvents {
 public:
  /// Loads and attaches. `verdicts_map_fd`: sonde_owner_verdicts, from which exec removes the process; -1: none.
  [[nodiscard]] static Result<std::unique_ptr<ProcessEvents>> start(int verdicts_map_fd = -1);
  ~ProcessEvents();

  /// Puts everything that has happened until now into the table. Does not wait.
  void drain(enrich::ProcessTable& table);
  /// Records that did not fit the ring: these processes are known from /proc only.
  [[nodiscard]] std::uint64_t lost() const;

 private:
  struct State;
  explicit ProcessEvents(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace sonde::processes
