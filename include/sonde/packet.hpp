// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sonde/abi/packet.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>

#include "sonde/export.hpp"
#include "sonde/owner.hpp"

namespace sonde {

/// A packet as it travels from a source to the sinks: a view, valid until the source is read again.
struct Packet {
  const sonde_packet_event* event = nullptr;  ///< headers; byte order of each member as <sonde/abi/packet.h> says
  const std::uint8_t* data = nullptr;         ///< captured bytes from the link header on, event->captured_size of them
  std::int64_t wall_ns = 0;                   ///< nanoseconds since 1970-01-01 UTC
  /// Who owns the socket that sent the packet, or that receives it; null: owners are off, or the source has none.
  /// Valid as long as the packet.
  const SocketOwner* owner = nullptr;
  std::uint64_t owner_id = 0;  ///< packets with the same id have the same owner, with all that is known of it; 0: none

  [[nodiscard]] std::span<const std::uint8_t> bytes() const { return {data, event->captured_size}; }
};

/// Classes by which packets are totalled.
enum class ProtocolClass : std::uint8_t { tcp, udp, icmp, icmp6, sctp, other_ip, arp, other };
inline constexpr std::size_t protocol_class_count = 8;

/// Class of a parsed packet. A fragment counts under its protocol.
[[nodiscard]] SONDE_EXPORT ProtocolClass protocol_class(const sonde_packet_event& event);
/// "TCP", "UDP", "ICMP", "ICMPv6", "SCTP", "other IP", "ARP", "other".
[[nodiscard]] SONDE_EXPORT const char* protocol_class_name(ProtocolClass protocol);

struct PacketCount {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
};

/// Packets and bytes by direction (SONDE_DIRECTION_IN, _OUT) and protocol class.
using PacketTotals = std::array<std::array<PacketCount, protocol_class_count>, 2>;

/// What the bytes of an interface start with; the value is the LINKTYPE_ number of pcap and pcapng.
enum class LinkType : std::uint16_t { ethernet = 1, raw_ip = 101 };

struct Interface {
  std::string name;
  LinkType link_type = LinkType::ethernet;
};

/// Interfaces by ifindex, as the source knows them. Entries are added while a capture runs, never removed.
using InterfaceTable = std::map<std::uint32_t, Interface>;

}  // namespace sonde
