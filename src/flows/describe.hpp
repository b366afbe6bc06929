// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sonde/abi/flow.h>

#include "sonde/flow.hpp"

namespace sonde::flows {

/// The flow as people see it, its opener first. Without id, wall times, interface, owners, name and network namespace,
/// which the table does not hold.
[[nodiscard]] Flow describe(const sonde_flow& flow, FlowEnd end);

}  // namespace sonde::flows
