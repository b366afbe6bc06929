// SPDX-License-Identifier: Apache-2.0
// Child processes that wait for a word, and a watch on all of them.
#pragma once
#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "base/fd.hpp"
#include "sensors/processes/process_events.hpp"

namespace sonde::test {

/// A forked child that waits until go(), then runs `body` and exits. Reaped at the latest with this object.
class Child {
 public:
  explicit Child(const std::function<void()>& body);
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child();

  void go();
  /// go(), then until it has exited.
  void finish();
  [[nodiscard]] std::uint32_t pid() const { return static_cast<std::uint32_t>(pid_); }

 private:
  Fd gate_;
  pid_t pid_ = -1;
  bool reaped_ = false;
};

/// Replaces the calling process; never returns.
[[noreturn]] void execute(const std::vector<std::string>& arguments);

/// Starts a program without waiting, and reaps it.
pid_t spawn(std::vector<std::string> arguments);
void reap(pid_t pid);

/// Process events and the table they go to. Throws std::runtime_error if the kernel does not let it.
class Watch {
 public:
  explicit Watch(std::size_t capacity = 16384);

  void drain() { events_->drain(table); }
  [[nodiscard]] std::uint64_t lost() const { return events_->lost(); }
  /// Drains, then the process that has or had this number. Throws if it is not known.
  std::shared_ptr<const sonde::Process> see(std::uint32_t pid);

  enrich::ProcessTable table;

 private:
  std::unique_ptr<processes::ProcessEvents> events_;
};

}  // namespace sonde::test
