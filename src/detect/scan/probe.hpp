// SPDX-License-Identifier: Apache-2.0
// What a flow looks like to somebody who looks for scans.
#pragma once
#include <cstdint>
#include <optional>

#include "detect/detector.hpp"

namespace sonde::detect {

enum class ScanMethod : std::uint8_t {
  tcp,  ///< SYN: "SYN" or "connect", told by what happens to open ports and by the source ports
  fin,
  null,
  xmas,    ///< FIN, PSH, URG
  flags,   ///< any other set of flags without SYN, ACK and RST
  ack,     ///< also nmap's window scan: the packets are the same
  maimon,  ///< FIN, ACK
  udp,
  sctp,      ///< INIT or COOKIE-ECHO
  protocol,  ///< IP protocols instead of ports
};

enum class Answer : std::uint8_t {
  none,
  refused,  ///< RST, or an ICMP error
  pressed,  ///< none, but the opener goes on sending: who scans does not (ICE sends 7 times, RFC 8489 6.2.1)
  open,     ///< the port answered, and no data went either way
  used,     ///< data, or an answer to a datagram
};

struct Probe {
  ScanMethod method{};
  Answer answer{};
  std::uint16_t port = 0;  ///< of the target, or its IP protocol
  bool half_open = false;  ///< answered by SYN-ACK, and that by RST: no TCP stack does this for a connect()
  bool completed = false;  ///< the handshake was completed
};

/// What the opener would be doing if it scanned. Nothing: no scan has such flows, because they carry traffic, answer
/// somebody (backscatter, a service that closes an old connection), or are made by traceroute.
[[nodiscard]] std::optional<Probe> probe_of(const FlowSight& flow);

/// The later fragments of TCP packets: what is left of a flow that was cut so small that its flags are not seen.
[[nodiscard]] bool is_fragment_of_tcp(const FlowSight& flow);

}  // namespace sonde::detect
