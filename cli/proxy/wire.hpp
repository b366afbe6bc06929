// SPDX-License-Identifier: Apache-2.0
// `sonde proxy connections|drain|abort`: connections on the wire, which outlive the proxy.
#pragma once
#include <string>
#include <vector>

#include "environment.hpp"

namespace sonde::cli {

[[nodiscard]] int proxy_connections(const Environment& env, std::vector<std::string> arguments);
[[nodiscard]] int proxy_drain(const Environment& env, std::vector<std::string> arguments);
[[nodiscard]] int proxy_abort(const Environment& env, std::vector<std::string> arguments);

}  // namespace sonde::cli
