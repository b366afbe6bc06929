// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "sonde/endpoint.hpp"
#include "sonde/export.hpp"
#include "sonde/owner.hpp"

namespace sonde {

/// Why a flow is not in the table any more.
enum class FlowEnd : std::uint8_t {
  none,      ///< it goes on
  closed,    ///< TCP: FIN of both sides
  reset,     ///< TCP: RST
  idle,      ///< no packet for the idle timeout
  shutdown,  ///< sonde ended, or the interface went
};

/// Where the name of a flow was read.
enum class FlowNameSource : std::uint8_t { none, tls /**< SNI of the ClientHello */, dns /**< first question */ };

/// What one endpoint of a flow sent.
struct FlowSide {
  Endpoint endpoint;
  std::uint64_t packets = 0;          ///< wire packets: one that offload keeps together counts as its segments
  std::uint64_t bytes = 0;            ///< with link headers, as packet_size of a packet's event
  std::uint32_t retransmissions = 0;  ///< TCP: packets that brought nothing new where we look (also late ones)
  std::uint8_t tcp_flags = 0;         ///< all that were seen
  std::uint8_t hop_limit = 0;         ///< TTL or hop limit of the last packet
  SocketOwner owner;                  ///< known only of a socket of this host
};

/// A flow: the packets between two endpoints on one interface (or group of interfaces), both directions.
struct SONDE_EXPORT Flow {
  std::uint64_t id = 0;  ///< names the flow as long as the program runs
  std::int64_t first_wall_ns = 0;
  std::int64_t last_wall_ns = 0;
  std::uint32_t network_namespace = 0;  ///< inode number; 0: replayed from a file
  std::string interface;                ///< name; of a group: the names joined by "+"
  std::uint8_t protocol = 0;            ///< IP protocol number
  /// [0] opened it: sent the SYN, the echo request, else the first packet that was seen.
  std::array<FlowSide, 2> sides;
  bool start_seen = false;            ///< TCP: its SYN or SYN-ACK was seen, so that the opener is certain
  bool unreachable = false;           ///< an ICMP error quoted a packet of it
  std::optional<std::uint16_t> vlan;  ///< outer VLAN id
  std::optional<std::chrono::microseconds> syn_ack_time;    ///< SYN to SYN-ACK: the way to the responder and back
  std::optional<std::chrono::microseconds> handshake_time;  ///< SYN to ACK: the whole way between the two and back
  std::string name;                                         ///< of what it is for; empty: not seen
  std::string alpn;                                         ///< TLS: offered protocols, "h2,http/1.1"
  FlowNameSource name_source = FlowNameSource::none;
  FlowEnd end = FlowEnd::none;

  [[nodiscard]] std::uint64_t packets() const { return sides[0].packets + sides[1].packets; }
  [[nodiscard]] std::uint64_t bytes() const { return sides[0].bytes + sides[1].bytes; }
};

/// "active" (none), "closed", "reset", "idle", "shutdown".
[[nodiscard]] SONDE_EXPORT const char* flow_end_name(FlowEnd end);
/// "TCP", "UDP", "ICMP", "ICMPv6", "SCTP", else the number.
[[nodiscard]] SONDE_EXPORT std::string flow_protocol_name(std::uint8_t protocol);

}  // namespace sonde
