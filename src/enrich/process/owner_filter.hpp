// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>

#include "sonde/owner.hpp"
#include "sonde/result.hpp"

namespace sonde::enrich {

/// The words of an OwnerFilter, checked and looked up.
class CompiledOwnerFilter {
 public:
  /// ErrorKind::usage names the option (--pid, --process, --user, --container), the word and what was expected: a user
  /// that does not exist, a pid that is no number. A pid or container that does not run now is no error.
  [[nodiscard]] static Result<CompiledOwnerFilter> compile(const OwnerFilter& filter);

  [[nodiscard]] bool empty() const;
  /// Does this process (of a thread with this name) match? `thread_comm` may be empty.
  [[nodiscard]] bool matches(const Process& process, const std::string& thread_comm) const;
  /// Of the owner. Unknown owners match only an empty filter.
  [[nodiscard]] bool matches(const Owner& owner) const;
  /// True when the verdict depends on nothing but the process, so that it may be cached by pid and start time (a filter
  /// by name may depend on the thread, and a process may change its user).
  [[nodiscard]] bool by_process_only() const;

 private:
  struct State;
  std::shared_ptr<const State> state_;
};

}  // namespace sonde::enrich
