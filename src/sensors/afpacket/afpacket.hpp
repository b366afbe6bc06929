// SPDX-License-Identifier: Apache-2.0
// Packets of interfaces by AF_PACKET, where eBPF is not to be had.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "filter/filter.hpp"
#include "pipeline/source.hpp"
#include "sonde/result.hpp"

namespace sonde::afpacket {

struct AfPacketOptions {
  std::vector<std::string> interfaces;     ///< names; "any": all of them, also those that appear later
  filter::CompiledFilter filter;           ///< as filter::compile() made it
  std::uint32_t snaplen = 0;               ///< bytes of a packet to keep; 0: the headers
  bool promiscuous = true;                 ///< of the named interfaces; "any" never changes an interface
  unsigned workers = 1;                    ///< threads among which the flows of each interface are spread, 1 to 64
  std::uint64_t ring_bytes = 32U << 20;    ///< of all rings together; each gets at least 1 MiB
  std::uint32_t retire_milliseconds = 20;  ///< a packet waits at most about this long for its block to fill
};

/// Opens the sockets; packets are taken from here on. Needs CAP_NET_RAW (else ErrorKind::unsupported). An interface
/// that does not exist is ErrorKind::usage with the list of those that do. Interfaces are those of the calling thread's
/// network namespace.
///
/// Packets: TPACKET_V3 rings with the kernel's wall time; whole packets are seen by the filter. A VLAN tag that the
/// kernel keeps beside the packet is put back into the bytes. Interfaces without a link header (tun, WireGuard, IP
/// tunnels, PPP) give bare IP. Segments of offloaded packets are unknown (0). AF_PACKET sees what crosses `lo` twice:
/// it is reported once, as received; as sent when the filter wants sent packets only.
///
/// Ledger: "socket" took what the kernel offered (tp_packets) and lost what did not fit into the ring (tp_drops);
/// "filter" follows. Until finished(), packets that wait in a ring are not counted yet.
///
/// With one worker packets are parsed and filtered in read(). With more, each has a thread and a socket in a
/// PACKET_FANOUT_HASH group; packets of one flow stay in order. A reader that is too slow fills the queue, then the
/// rings, and the kernel counts the loss.
[[nodiscard]] Result<std::unique_ptr<pipeline::Source>> open_afpacket(AfPacketOptions options);

}  // namespace sonde::afpacket
