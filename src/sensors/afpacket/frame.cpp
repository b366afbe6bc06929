// SPDX-License-Identifier: Apache-2.0
#include "sensors/afpacket/frame.hpp"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <net/if_arp.h>

#include <cstring>

namespace sonde::afpacket {
namespace {

constexpr std::uint32_t addresses_size = 12;
constexpr std::int64_t second_ns = 1'000'000'000;

void store_big16(std::uint8_t* p, std::uint32_t value) {
  p[0] = static_cast<std::uint8_t>(value >> 8);
  p[1] = static_cast<std::uint8_t>(value);
}

// Before Linux 3.14 the kernel gave no TPID.
std::uint32_t tag_protocol(const tpacket3_hdr& frame) {
  return (frame.tp_status & TP_STATUS_VLAN_TPID_VALID) != 0 ? frame.hv1.tp_vlan_tpid : ETH_P_8021Q;
}

// Addresses move four bytes to the front, into the reserved room.
std::uint8_t* insert_tag(std::uint8_t* packet, const tpacket3_hdr& frame) {
  std::uint8_t* start = packet - vlan_tag_size;
  std::memmove(start, packet, addresses_size);
  store_big16(start + addresses_size, tag_protocol(frame));
  store_big16(start + addresses_size + 2, frame.hv1.tp_vlan_tci);
  return start;
}

void set_ethernet(user_space::RawPacket& packet, std::uint8_t* frame_start, const tpacket3_hdr& frame) {
  const bool tagged = (frame.tp_status & TP_STATUS_VLAN_VALID) != 0 && frame.tp_snaplen >= addresses_size;
  const std::uint32_t added = tagged ? vlan_tag_size : 0;
  std::uint8_t* start = frame_start + frame.tp_mac;
  packet.bytes = {tagged ? insert_tag(start, frame) : start, frame.tp_snaplen + added};
  packet.wire_size = frame.tp_len + added;
}

// Drivers without a link header disagree on where the packet starts; the network header is where it is. tp_net may lie
// behind what was captured.
void set_bare(user_space::RawPacket& packet, std::uint8_t* frame_start, const tpacket3_hdr& frame) {
  const std::uint32_t header = frame.tp_net > frame.tp_mac ? frame.tp_net - frame.tp_mac : 0;
  const std::uint32_t skipped = header <= frame.tp_snaplen ? header : 0;
  packet.bytes = {frame_start + frame.tp_mac + skipped, frame.tp_snaplen - skipped};
  packet.wire_size = frame.tp_len - skipped;
}

}  // namespace

LinkType link_type(std::uint16_t hardware_type) {
  const bool ethernet = hardware_type == ARPHRD_ETHER || hardware_type == ARPHRD_LOOPBACK;
  return ethernet ? LinkType::ethernet : LinkType::raw_ip;
}

user_space::RawPacket read_frame(tpacket3_hdr& frame) {
  auto* start = reinterpret_cast<std::uint8_t*>(&frame);
  const auto* address = reinterpret_cast<const sockaddr_ll*>(start + TPACKET_ALIGN(sizeof(tpacket3_hdr)));
  user_space::RawPacket packet;
  packet.wall_ns = frame.tp_sec * second_ns + frame.tp_nsec;
  packet.ifindex = static_cast<std::uint32_t>(address->sll_ifindex);
  packet.link = link_type(address->sll_hatype);
  packet.direction = address->sll_pkttype == PACKET_OUTGOING ? SONDE_DIRECTION_OUT : SONDE_DIRECTION_IN;
  if (packet.link == LinkType::ethernet) {
    set_ethernet(packet, start, frame);
  } else {
    set_bare(packet, start, frame);
  }
  return packet;
}

}  // namespace sonde::afpacket
