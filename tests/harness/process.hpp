// SPDX-License-Identifier: Apache-2.0
// Programs that run beside a test, in a network namespace.
#pragma once
#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

#include "harness/command.hpp"
#include "harness/netns.hpp"

namespace sonde::test {

/// A child process whose standard output and error go to files; killed at the latest with this object.
class Process {
 public:
  Process(const NetworkNamespace& where, std::vector<std::string> arguments);
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process();

  void signal(int number) const;
  /// Exit status, 128 + signal, or -1 when it still runs after `patience`.
  int wait(std::chrono::milliseconds patience = std::chrono::seconds{20});
  [[nodiscard]] std::string output() const;
  [[nodiscard]] std::string errors() const;
  /// Until its standard error holds the text; false when the time is up or it has ended without.
  bool wait_for_error_text(const std::string& text, std::chrono::milliseconds patience = std::chrono::seconds{20});
  /// Until its standard output holds the text.
  bool wait_for_output_text(const std::string& text, std::chrono::milliseconds patience = std::chrono::seconds{20});
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  bool wait_for_text(const std::string& path, const std::string& text, std::chrono::milliseconds patience);

  TemporaryFile output_{".out"};
  TemporaryFile errors_{".err"};
  pid_t pid_ = -1;
  int status_ = -1;  ///< as wait() gives it
};

/// The file's bytes, "" if it is not there.
std::string read_file(const std::string& path);

}  // namespace sonde::test
