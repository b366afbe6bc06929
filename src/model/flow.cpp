// SPDX-License-Identifier: Apache-2.0
#include "sonde/flow.hpp"

#include <netinet/in.h>

#include <array>
#include <cstddef>

namespace sonde {

const char* flow_end_name(FlowEnd end) {
  static constexpr std::array names{"active", "closed", "reset", "idle", "shutdown"};
  const auto index = static_cast<std::size_t>(end);
  return index < names.size() ? names[index] : "";
}

std::string flow_protocol_name(std::uint8_t protocol) {
  switch (protocol) {
    case IPPROTO_TCP: return "TCP";
    case IPPROTO_UDP: return "UDP";
    case IPPROTO_ICMP: return "ICMP";
    case IPPROTO_ICMPV6: return "ICMPv6";
    case IPPROTO_SCTP: return "SCTP";
    default: return std::to_string(protocol);
  }
}

}  // namespace sonde
