// SPDX-License-Identifier: Apache-2.0
// What the report says of the wire splice.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "actuators/proxy/wire/wire.abi.h"

namespace sonde::proxy {

struct WireFacts {
  struct Interface {
    std::string name;
    std::string hook;     ///< "tcx", "clsact"; empty: its packets are not forwarded
    std::string failure;  ///< why not
  };
  std::uint64_t connections = 0;  ///< on the wire now
  std::uint64_t capacity = 0;
  std::uint64_t joined = 0, adopted = 0;                       ///< since the start
  std::vector<std::pair<std::string, std::uint64_t>> refused;  ///< by reason, since the start
  sonde_wire_statistics statistics{};                          ///< since the maps were made
  std::vector<Interface> interfaces;
};

struct WireCounter {
  const char* name;
  __u64 sonde_wire_statistics::*value;
};

/// What the programs have done with packets beside forwarding them; by these names in /status and /metrics.
inline constexpr std::array<WireCounter, 11> wire_counters{{
    {"acknowledgements_copied", &sonde_wire_statistics::copied},
    {"resets_answered", &sonde_wire_statistics::resets_answered},
    {"errors_translated", &sonde_wire_statistics::errors_translated},
    {"errors_sent", &sonde_wire_statistics::errors_sent},
    {"dropped_too_big", &sonde_wire_statistics::dropped_too_big},
    {"dropped_fragment", &sonde_wire_statistics::dropped_fragment},
    {"dropped_no_route", &sonde_wire_statistics::dropped_no_route},
    {"dropped_expired", &sonde_wire_statistics::dropped_expired},
    {"dropped_congestion", &sonde_wire_statistics::dropped_congestion},
    {"dropped_malformed", &sonde_wire_statistics::dropped_malformed},
    {"port_reused", &sonde_wire_statistics::port_reused},
}};
static_assert(sizeof(sonde_wire_statistics) == sizeof(std::uint64_t) * (wire_counters.size() + 2),
              "packets, bytes, and these");

}  // namespace sonde::proxy
