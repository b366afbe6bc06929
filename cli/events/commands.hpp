// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <vector>

#include "environment.hpp"

namespace sonde::cli {

[[nodiscard]] int retrans(const Environment& env, std::vector<std::string> arguments);
[[nodiscard]] int drops(const Environment& env, std::vector<std::string> arguments);
[[nodiscard]] int connections(const Environment& env, std::vector<std::string> arguments);

}  // namespace sonde::cli
