// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>

#include "sonde/result.hpp"

namespace sonde::doctor {

/// The text of a small file such as those of /proc and /sys, without the last newline. Large files: the first 64 KiB.
[[nodiscard]] Result<std::string> read_file(const std::string& path);

}  // namespace sonde::doctor
