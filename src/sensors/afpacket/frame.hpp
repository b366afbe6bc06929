// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <linux/if_packet.h>

#include <cstdint>

#include "sensors/user_space/finish_packet.hpp"

namespace sonde::afpacket {

inline constexpr std::uint32_t vlan_tag_size = 4;

/// The packet of a frame in the ring, which must have vlan_tag_size bytes reserved (PACKET_RESERVE). The bytes are
/// those on the wire: a tag that the kernel keeps beside them is moved in, so call it once a frame.
[[nodiscard]] user_space::RawPacket read_frame(tpacket3_hdr& frame);

/// What the bytes of an interface of this ARPHRD_ type start with.
[[nodiscard]] LinkType link_type(std::uint16_t hardware_type);

}  // namespace sonde::afpacket
