// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>

#include "detect/incident.hpp"

namespace sonde::detect {

/// Floods of SYN, UDP and ICMP, and reflections, by target. Memory: at most 256 targets that get a tenth of a flood,
/// of 37 kB each; whether one does is counted in 4 count-min sketches of 32 kB; and 1 MB of who knows whom.
[[nodiscard]] std::unique_ptr<Detector> make_flood_detector(const Context& context);

}  // namespace sonde::detect
