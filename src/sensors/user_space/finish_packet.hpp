// SPDX-License-Identifier: Apache-2.0
// What the sensors' BPF programs do to a packet, for the sources that get bytes instead of events: a file, AF_PACKET.
#pragma once
#include <cstdint>
#include <span>

#include "filter/filter.hpp"
#include "sonde/packet.hpp"

namespace sonde::user_space {

/// A packet as it came from a file or a socket.
struct RawPacket {
  std::span<const std::uint8_t> bytes;  ///< from the link header on, VLAN tags included
  std::uint32_t wire_size = 0;          ///< bytes the packet had; at least bytes.size()
  std::int64_t wall_ns = 0;             ///< nanoseconds since 1970-01-01 UTC
  std::uint32_t ifindex = 0;
  LinkType link = LinkType::ethernet;
  std::uint8_t direction = SONDE_DIRECTION_IN;
};

/// Parses, filters and cuts one packet. `snaplen` 0 keeps the headers (payload_offset bytes), else at most that many
/// bytes. The filter sees all bytes. True: the packet passed, and `packet` shows `event` and raw's bytes. header.ts_ns
/// is wall time, unlike a BPF program's.
[[nodiscard]] bool finish_packet(const RawPacket& raw, const filter::CompiledFilter& filter, std::uint32_t snaplen,
                                 sonde_packet_event& event, Packet& packet);

}  // namespace sonde::user_space
