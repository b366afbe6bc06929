// SPDX-License-Identifier: Apache-2.0
// Packets to flows as plainly as can be, and flows to detectors every half second of packet time.
#pragma once
#include <vector>

#include "detect/detector.hpp"
#include "traffic.hpp"

namespace sonde::corpus {

/// Shows the traffic (sorted) to the detectors and gives their events. Flows end when they are closed or reset at the
/// next collection, or idle for 60 s; so what comes after is a new flow, seen from the middle.
[[nodiscard]] std::vector<SecurityEvent> play(const Traffic& traffic, const SecurityConfig& config = {});

}  // namespace sonde::corpus
