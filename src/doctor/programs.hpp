// SPDX-License-Identifier: Apache-2.0
// The real programs and transports of capture, loaded.
#pragma once
#include <optional>

#include "doctor/privileges.hpp"
#include "kernel/object.hpp"

namespace sonde::doctor {

/// What the expression of `filtered` lets through.
inline constexpr std::uint16_t filtered_port = 47808;
inline constexpr const char* filtered_expression = "udp dst port 47808";

struct Programs {
  std::optional<kernel::Object> ring;      ///< events through a ring buffer; with the XDP program where that loads
  std::optional<kernel::Object> perf;      ///< events through a perf event array
  std::optional<kernel::Object> filtered;  ///< as ring, with a pcap-filter expression
  bool xdp = false;                        ///< `ring` has the XDP program
  Findings findings;  ///< ring-buffer, memlock, perf-buffer, tc-programs, filter-expression, xdp-program
};

[[nodiscard]] Programs load_programs(const Privileges& privileges);

}  // namespace sonde::doctor
