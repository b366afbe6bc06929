// SPDX-License-Identifier: Apache-2.0
// The flows of a NetworkMonitor: a source an interface, collected by a thread so that no flow waits for the caller.
#pragma once
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "sonde/monitor.hpp"

namespace sonde {

class MonitorFlows {
 public:
  explicit MonitorFlows(const MonitorOptions& options);
  MonitorFlows(const MonitorFlows&) = delete;
  MonitorFlows& operator=(const MonitorFlows&) = delete;
  ~MonitorFlows();

  /// Starts counting on the interface.
  Result<void> add(const std::string& interface);
  /// As NetworkMonitor::flow_stats(). Safe beside the thread.
  [[nodiscard]] Result<std::vector<Flow>> take();
  [[nodiscard]] LossReport loss() const;
  /// Ends counting; take() gives what is left.
  void close();

 private:
  class Interface;
  void run(const std::stop_token& stop);

  MonitorOptions options_;
  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<Interface>> interfaces_;
  std::jthread thread_;
};

}  // namespace sonde
