// SPDX-License-Identifier: Apache-2.0
#include "monitor_security.hpp"

namespace sonde {

Result<void> MonitorSecurity::check_not_started(const char* call) const {
  if (!watch_) return {};
  return fail(ErrorKind::usage, std::string(call) + ": expected before start()");
}

Result<void> MonitorSecurity::set(std::string_view key, std::string_view value) {
  if (auto early = check_not_started("set_security_config()"); !early) return early;
  return config_.set(key, value);
}

Result<void> MonitorSecurity::set(SecurityConfig config) {
  if (auto early = check_not_started("set_security_config()"); !early) return early;
  config_ = std::move(config);
  return {};
}

Result<void> MonitorSecurity::on_event(SecurityHandler handler) {
  if (auto early = check_not_started("on_security_event()"); !early) return early;
  handler_ = std::move(handler);
  return {};
}

Result<void> MonitorSecurity::start(const std::vector<std::string>& interfaces, const MonitorOptions& options) {
  if (!handler_) return {};
  if (interfaces.empty())
    return fail(ErrorKind::usage,
                "start(): on_security_event() looks at attached interfaces; expected attach() before");
  WatchOptions watch;
  watch.flows.interfaces = interfaces;
  watch.flows.filter = options.filter;
  watch.flows.max_flows = options.max_flows;
  watch.config = config_;
  watch.output.clear();
  auto made = Watch::make(watch, handler_);
  if (!made) return std::unexpected(made.error());
  watch_.emplace(std::move(*made));
  thread_ = std::thread([this] { loss_ = watch_->run().loss; });
  return {};
}

void MonitorSecurity::close() {
  if (!thread_.joinable()) return;
  watch_->stop();
  thread_.join();
}

}  // namespace sonde
