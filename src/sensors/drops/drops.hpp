// SPDX-License-Identifier: Apache-2.0
// Each packet that the kernel frees in error, in all network namespaces, with its owner.
#pragma once
#include <memory>

#include "pipeline/events.hpp"
#include "sensors/events/sensor.hpp"
#include "sonde/drop.hpp"
#include "sonde/result.hpp"

namespace sonde::drops {

/// Loads and attaches. ErrorKind::unsupported: the kernel gives no reasons (before Linux 5.17) or no BTF.
[[nodiscard]] Result<std::unique_ptr<pipeline::EventSource<Drop>>> open(const events::SensorRequest& request);

}  // namespace sonde::drops
