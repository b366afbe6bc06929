// SPDX-License-Identifier: Apache-2.0
// The security events of a NetworkMonitor: a watch of its interfaces, in a thread of its own.
#pragma once
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "sonde/monitor.hpp"
#include "sonde/watch.hpp"

namespace sonde {

class MonitorSecurity {
 public:
  MonitorSecurity() = default;
  MonitorSecurity(const MonitorSecurity&) = delete;
  MonitorSecurity& operator=(const MonitorSecurity&) = delete;
  ~MonitorSecurity() { close(); }

  Result<void> set(std::string_view key, std::string_view value);
  Result<void> set(SecurityConfig config);
  Result<void> on_event(SecurityHandler handler);

  /// Starts to look, if there is a handler.
  Result<void> start(const std::vector<std::string>& interfaces, const MonitorOptions& options);
  /// Empty until closed.
  [[nodiscard]] LossReport loss() const { return thread_.joinable() ? LossReport{} : loss_; }
  /// What goes on ends; the handler has been called for the last time.
  void close();

 private:
  [[nodiscard]] Result<void> check_not_started(const char* call) const;

  SecurityConfig config_;
  SecurityHandler handler_;
  std::optional<Watch> watch_;
  LossReport loss_;
  std::thread thread_;
};

}  // namespace sonde
