// SPDX-License-Identifier: Apache-2.0
// `sonde watch` as a black box beside the traffic of a test.
#pragma once
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "netns/capture/sonde_program.hpp"

namespace sonde::test {

struct Watched {
  int status = -1;
  std::string output;
  std::string errors;
  std::vector<Json> events;  ///< all states, in order
  Json summary;

  /// Those that started, of this kind if one is given.
  [[nodiscard]] std::vector<Json> started(const std::string& kind = "") const;
  [[nodiscard]] bool balanced() const { return errors.find("the books balance") != std::string::npos; }
};

/// `sonde watch -o json WORDS` in a namespace, ready.
class Watching {
 public:
  Watching(const NetworkNamespace& where, const Words& words);
  /// Until so many events of the kind have started; false when the time is up.
  [[nodiscard]] bool wait_for_events(const std::string& kind, std::size_t count);
  Watched end(int signal = SIGINT);
  [[nodiscard]] Process& process() { return process_; }

 private:
  Process process_;
};

/// Runs `sonde WORDS` to its end.
Watched run_watch(const NetworkNamespace& where, const Words& words);

/// Starts all of the commands in the namespace and waits for them; throws with the output of one that fails.
void run_together(const NetworkNamespace& where, const std::vector<std::string>& commands);

}  // namespace sonde::test
