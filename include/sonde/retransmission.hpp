// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "sonde/endpoint.hpp"
#include "sonde/export.hpp"
#include "sonde/owner.hpp"

namespace sonde {

/// Why a segment was sent again.
enum class RetransmissionKind : std::uint8_t {
  rto,       ///< the retransmission timer fired (RFC 6298)
  loss,      ///< after a timeout, driven by acknowledgments (CA state Loss)
  fast,      ///< fast retransmit or RACK (RFC 6675, RFC 8985)
  tlp,       ///< tail-loss probe (RFC 8985 7)
  syn,       ///< a SYN that was not answered
  syn_ack,   ///< a SYN-ACK that was not answered
  path_mtu,  ///< the path's MTU shrank
  spurious,  ///< no segment: the kernel learnt that earlier retransmissions were needless (D-SACK, F-RTO, Eifel)
  untold,    ///< no segment: at its end the socket had counted segments that no event had told, see `unreported`
};

/// Where the segment was lost, when it was lost on this host.
struct LocalDrop {
  std::string reason;                   ///< name of the kernel's drop reason: "QDISC_DROP"
  std::string function;                 ///< kernel function that freed the packet; empty: not known
  std::uint32_t ifindex = 0;            ///< interface, 0: none
  std::string interface;                ///< its name; empty: not known
  std::uint32_t network_namespace = 0;  ///< of the interface, inode number; 0: not known
  std::int64_t wall_ns = 0;
};

/// One retransmission of one segment (or of several that offload keeps together).
struct SONDE_EXPORT Retransmission {
  std::int64_t wall_ns = 0;  ///< nanoseconds since 1970-01-01 UTC
  RetransmissionKind kind = RetransmissionKind::rto;
  Socket socket;  ///< of a SYN-ACK: the listener's address with the peer that asked
  SocketOwner owner;
  std::uint32_t sequence = 0;      ///< first byte, as on the wire
  std::uint32_t end_sequence = 0;  ///< behind the last one, SYN and FIN counted
  std::uint32_t segments =
      1;  ///< wire segments; with `unreported` their sum over all events is TcpRetransSegs. 0 with spurious
  std::int32_t error = 0;  ///< errno with which sending it failed; 0: sent. -1: dropped by the queue
  /// Segments that the socket counted before this one without an event: Linux before 6.17 does not report those that
  /// failed to be sent, and a hook that is interrupted by itself is skipped by the kernel.
  std::uint32_t unreported = 0;
  std::uint32_t smoothed_rtt_us = 0;    ///< 0: none measured yet
  std::uint32_t rto_ms = 0;             ///< retransmission timeout; 0: not known
  std::uint32_t congestion_window = 0;  ///< segments
  std::uint32_t bytes_in_flight = 0;    ///< sent, not acknowledged: snd_nxt - snd_una
  std::uint32_t socket_total = 0;       ///< segments retransmitted on this socket so far, this one included
  std::uint32_t spurious = 0;           ///< with kind spurious: how many retransmissions were needless
  std::string spurious_evidence;        ///< with kind spurious: "D-SACK", "F-RTO or timestamps"
  std::optional<LocalDrop> local_drop;  ///< set: lost here. Unset: lost on the wire, or not at all (spurious)
};

/// "RTO", "loss recovery", "fast", "TLP", "SYN", "SYN-ACK", "path MTU", "spurious", "untold".
[[nodiscard]] SONDE_EXPORT const char* retransmission_kind_name(RetransmissionKind kind);

}  // namespace sonde
