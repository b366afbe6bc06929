// SPDX-License-Identifier: Apache-2.0
// The proxy's own log, by ProxyLog.
#pragma once
#include <fmt/format.h>

#include <string_view>
#include <utility>

#include "sonde/proxy.hpp"
#include "sonde/result.hpp"

namespace sonde::proxy {

enum class LogLevel : unsigned char { off, error, warn, info, debug, trace };

/// Opens what the configuration names; replaces what was open. Before privileges are dropped.
[[nodiscard]] Result<void> open_log(const ProxyLog& config);
[[nodiscard]] bool log_wants(LogLevel level);
/// `module`: who speaks ("listener", "dns" ...). Any thread; never blocks longer than a write to the file.
void write_log(LogLevel level, std::string_view module, std::string_view line);
/// Opens the file again, after SIGHUP.
void reopen_log();

template <class... Args>
void log(LogLevel level, std::string_view module, fmt::format_string<Args...> format, Args&&... args) {
  if (log_wants(level)) write_log(level, module, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace sonde::proxy
