// SPDX-License-Identifier: Apache-2.0
// What the guard did to a packet, as a line.
#pragma once
#include <cstdint>
#include <string>

#include "sonde/packet.hpp"

namespace sonde::exporter {

struct GuardLogEntry {
  Packet packet;         ///< its first bytes
  const char* outcome;   ///< "dropped-block" ...
  std::uint64_t rule;    ///< id; 0: none
  bool dry_run = false;  ///< the rule would have done so
};

/// "14:03:22.123456789 dropped-block rule 3 eth0 In  IP 10.0.0.1.34567 > 10.0.0.2.443: Flags [S], ..."
[[nodiscard]] std::string guard_log_line(const GuardLogEntry& entry, const InterfaceTable& interfaces);

/// docs/json.md
[[nodiscard]] std::string guard_log_json(const GuardLogEntry& entry, const InterfaceTable& interfaces);

}  // namespace sonde::exporter
