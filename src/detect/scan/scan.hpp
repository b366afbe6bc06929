// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>

#include "detect/incident.hpp"

namespace sonde::detect {

/// Port scans and host scans. Memory: see Contacts (30 MB at most) and OngoingScans (20 MB at most, when 256 scans of
/// more than 1000 targets go on at once); familiar services 256 kB.
[[nodiscard]] std::unique_ptr<Detector> make_scan_detector(const Context& context);

}  // namespace sonde::detect
