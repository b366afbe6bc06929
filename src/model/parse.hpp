// SPDX-License-Identifier: Apache-2.0
// The kernel's packet parser for bytes in user space.
#pragma once
#include <cstdint>
#include <span>

#include "sonde/packet.hpp"

namespace sonde {

/// A VLAN tag that the kernel keeps beside the packet.
struct OffloadedTag {
  std::uint16_t tci = 0;
  std::uint16_t tpid = 0;  ///< EtherType of the tag; 0: there is none
};

/// Fills the header members of `event` from the captured bytes of a packet of `wire_size` bytes. Does not touch time,
/// ifindex, direction, captured_size and segments. Never reads outside `bytes`. With a tag, sizes and offsets count its
/// four bytes as if they stood in the packet; `bytes` and `wire_size` are without them.
void parse_packet(std::span<const std::uint8_t> bytes, std::uint32_t wire_size, LinkType link, OffloadedTag tag,
                  sonde_packet_event& event);

}  // namespace sonde
