// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "actuators/proxy/path/path.hpp"
#include "sonde/result.hpp"

namespace sonde::proxy {

/// Sends over loopback through the path while nobody reads at the other end: the sender must be made to wait. Linux
/// before 6.4 acknowledges whatever comes and queues it without bound (e5c6de5fa025, also in the stable series).
[[nodiscard]] Result<void> sender_is_held_back(KernelPath& path);

}  // namespace sonde::proxy
