// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>

#include "detect/incident.hpp"

namespace sonde::detect {

/// Data in DNS names, by client and registered domain. At most 2048 pairs of them, of 35 kB where there are more than
/// 1000 names in a window, else of 32 bytes a name: 70 MB at the very most, 2 MB without tunnels.
[[nodiscard]] std::unique_ptr<Detector> make_dns_detector(const Context& context);

}  // namespace sonde::detect
