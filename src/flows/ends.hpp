// SPDX-License-Identifier: Apache-2.0
// When a flow is over.
#pragma once
#include <chrono>

#include "flow.h"
#include "sonde/flow.hpp"

namespace sonde::flows {

/// A TCP connection that was closed or reset stays so long for its late packets.
inline constexpr std::chrono::nanoseconds closed_linger = std::chrono::seconds(2);

[[nodiscard]] inline bool is_over(const sonde_flow& flow) {
  return sonde_flow_is_closed(&flow) != 0 || sonde_flow_is_reset(&flow) != 0;
}

/// Of one that is over.
[[nodiscard]] inline FlowEnd how_it_ended(const sonde_flow& flow) {
  return sonde_flow_is_closed(&flow) != 0 ? FlowEnd::closed : FlowEnd::reset;
}

}  // namespace sonde::flows
