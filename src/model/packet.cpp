// SPDX-License-Identifier: Apache-2.0
#include "sonde/packet.hpp"

#include <netinet/in.h>

namespace sonde {
namespace {

constexpr std::uint16_t ether_type_arp = 0x0806;

ProtocolClass ip_protocol_class(std::uint8_t protocol) {
  switch (protocol) {
    case IPPROTO_TCP: return ProtocolClass::tcp;
    case IPPROTO_UDP: return ProtocolClass::udp;
    case IPPROTO_ICMP: return ProtocolClass::icmp;
    case IPPROTO_ICMPV6: return ProtocolClass::icmp6;
    case IPPROTO_SCTP: return ProtocolClass::sctp;
    default: return ProtocolClass::other_ip;
  }
}

}  // namespace

ProtocolClass protocol_class(const sonde_packet_event& event) {
  if (event.flags & (SONDE_PACKET_IPV4 | SONDE_PACKET_IPV6)) return ip_protocol_class(event.protocol);
  return event.ether_type == ether_type_arp ? ProtocolClass::arp : ProtocolClass::other;
}

const char* protocol_class_name(ProtocolClass protocol) {
  static constexpr const char* names[protocol_class_count] = {"TCP",  "UDP",      "ICMP", "ICMPv6",
                                                              "SCTP", "other IP", "ARP",  "other"};
  return names[static_cast<std::size_t>(protocol)];
}

}  // namespace sonde
