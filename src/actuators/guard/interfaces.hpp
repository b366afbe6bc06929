// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <vector>

#include "sonde/guard.hpp"

namespace sonde::guard {

/// The interfaces that the directory has hooks of, with those that are gone.
[[nodiscard]] std::vector<GuardInterface> guarded_interfaces(const std::string& directory);

/// Names of those that are there.
[[nodiscard]] std::vector<std::string> guarded_names(const std::string& directory);

}  // namespace sonde::guard
