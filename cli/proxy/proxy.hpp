// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <vector>

#include "environment.hpp"

namespace sonde::cli {

/// `sonde proxy CONFIG.json`, `sonde proxy reload|status|stop|drain|abort|connections`
[[nodiscard]] int proxy(const Environment& env, std::vector<std::string> arguments);

}  // namespace sonde::cli
