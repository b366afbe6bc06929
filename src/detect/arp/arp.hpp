// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>

#include "detect/incident.hpp"

namespace sonde::detect {

/// Forged ARP. At most 4096 addresses of 300 bytes, 1024 MACs of 200 bytes, 128 events at a time.
[[nodiscard]] std::unique_ptr<Detector> make_arp_detector(const Context& context);

}  // namespace sonde::detect
