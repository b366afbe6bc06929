// SPDX-License-Identifier: Apache-2.0
// The guard's programs with their maps.
#pragma once
#include <string>

#include "kernel/object.hpp"
#include "sonde/result.hpp"

namespace sonde::guard {

/// Loads the programs on the maps that are pinned in the directory; what is not pinned yet is made and pinned.
[[nodiscard]] Result<kernel::Object> load_programs(const std::string& directory);

}  // namespace sonde::guard
