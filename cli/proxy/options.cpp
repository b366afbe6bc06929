// SPDX-License-Identifier: Apache-2.0
#include "proxy/options.hpp"

#include <fmt/format.h>

namespace sonde::cli {

void add_config(CLI::App& app, OptionGroup& group, ProxyWords& words, const char* meaning) {
  app.add_option("CONFIG", words.positional, meaning)->type_name("");
  group.option("--config", "FILE", words.config, "The same");
}

void add_control(OptionGroup& group, ProxyWords& words) {
  group.option("--control", "PATH", words.control,
               "Its control socket; default: of CONFIG, else /run/sonde-proxy.sock");
}

Result<std::string> config_path(const ProxyWords& words) {
  if (words.config && !words.positional.empty())
    return fail(ErrorKind::usage, "proxy: '" + words.positional + "': expected no other file beside --config");
  auto path = words.config.value_or(words.positional);
  if (path.empty()) return fail(ErrorKind::usage, "proxy: expected a configuration file: sonde proxy CONFIG.json");
  return path;
}

Result<std::optional<ProxyConfig>> named_config(const ProxyWords& words, const std::string& command) {
  if (!words.name_a_file()) return std::optional<ProxyConfig>{};
  if (words.control) return fail(ErrorKind::usage, command + ": --control: expected no configuration file beside it");
  const auto path = config_path(words);
  if (!path) return std::unexpected(path.error());
  auto config = read_proxy_config(*path);
  if (!config) return std::unexpected(config.error());
  return std::optional(std::move(*config));
}

Result<std::string> control_path(const ProxyWords& words, const std::optional<ProxyConfig>& config,
                                 const std::string& command) {
  if (words.control) return *words.control;
  if (!config) return ProxyConfig{}.control;
  if (config->control.empty())
    return fail(ErrorKind::usage, fmt::format("{}: {}: control is \"\": expected a path, to ask the proxy at", command,
                                              words.config.value_or(words.positional)));
  return config->control;
}

}  // namespace sonde::cli
