// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <vector>

#include "detect/detector.hpp"

namespace sonde::detect {

/// Everything that an event says, so that two may be compared to the byte.
[[nodiscard]] std::string text_of(const SecurityEvent& event);
[[nodiscard]] std::string text_of(const std::vector<SecurityEvent>& events);

}  // namespace sonde::detect
