// SPDX-License-Identifier: Apache-2.0
// What a flow is for, by its first payload.
#pragma once
#include <optional>
#include <string>

#include "sonde/flow.hpp"
#include "sonde/packet.hpp"

namespace sonde::flows {

struct FlowName {
  std::string name;  ///< as dig escapes it for DNS, as sent for TLS; may be empty where only ALPN was seen
  std::string alpn;  ///< "h2,http/1.1"
  FlowNameSource source = FlowNameSource::none;
};

/// Server name and ALPN of a TLS ClientHello on any TCP port, the first question of DNS (port 53, UDP or TCP); nothing
/// if the packet's payload begins with neither. A ClientHello that goes on in the next packet tells what is in this
/// one.
[[nodiscard]] std::optional<FlowName> read_flow_name(const Packet& packet);

}  // namespace sonde::flows
