// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <csignal>

namespace sonde::cli {

/// While it lives, the first SIGINT, SIGTERM or SIGHUP calls stop() of `running`, which drains what was taken; a second
/// one ends the program at once. One at a time.
template <class Running>
class StopOnSignals {
 public:
  explicit StopOnSignals(Running& running) {
    running_ = &running;
    struct sigaction action {};
    action.sa_handler = [](int) {
      if (running_ != nullptr) running_->stop();
    };
    action.sa_flags = SA_RESETHAND;
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) ::sigaction(signal, &action, nullptr);
  }
  ~StopOnSignals() { running_ = nullptr; }
  StopOnSignals(const StopOnSignals&) = delete;
  StopOnSignals& operator=(const StopOnSignals&) = delete;

 private:
  static inline Running* running_ = nullptr;
};

}  // namespace sonde::cli
