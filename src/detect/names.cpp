// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cstddef>

#include "sonde/security.hpp"

namespace sonde {

namespace {

template <class Enum, std::size_t size>
const char* name_of(const std::array<const char*, size>& names, Enum value) {
  const auto index = static_cast<std::size_t>(value);
  return index < size ? names[index] : "";
}

}  // namespace

const char* security_kind_name(SecurityKind kind) {
  static constexpr std::array names{"port-scan",  "host-scan",        "syn-flood",       "udp-flood",
                                    "icmp-flood", "reflection",       "new-destination", "beacon",
                                    "long-idle",  "connect-failures", "arp-spoof",       "dns-tunnel"};
  return name_of(names, kind);
}

const char* severity_name(Severity severity) {
  static constexpr std::array names{"info", "low", "medium", "high"};
  return name_of(names, severity);
}

const char* security_state_name(SecurityState state) {
  static constexpr std::array names{"started", "updated", "ended"};
  return name_of(names, state);
}

}  // namespace sonde
