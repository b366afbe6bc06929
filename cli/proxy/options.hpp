// SPDX-License-Identifier: Apache-2.0
// Words by which the commands of `sonde proxy` find a configuration and the proxy that runs with it.
#pragma once
#include <optional>
#include <string>

#include "option_group.hpp"
#include "sonde/proxy.hpp"

namespace sonde::cli {

struct ProxyWords {
  std::string positional;              ///< CONFIG
  std::optional<std::string> config;   ///< --config
  std::optional<std::string> control;  ///< --control

  [[nodiscard]] bool name_a_file() const { return config || !positional.empty(); }
};

/// CONFIG and --config.
void add_config(CLI::App& app, OptionGroup& group, ProxyWords& words, const char* meaning);
void add_control(OptionGroup& group, ProxyWords& words);

[[nodiscard]] Result<std::string> config_path(const ProxyWords& words);
/// That of CONFIG; nullopt: no file is named.
[[nodiscard]] Result<std::optional<ProxyConfig>> named_config(const ProxyWords& words, const std::string& command);
/// Where the proxy is asked: of --control, of the configuration, or the default. Never "".
[[nodiscard]] Result<std::string> control_path(const ProxyWords& words, const std::optional<ProxyConfig>& config,
                                               const std::string& command);

}  // namespace sonde::cli
