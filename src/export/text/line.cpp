// SPDX-License-Identifier: Apache-2.0
#include "export/text/line.hpp"

#include <netinet/in.h>

#include "export/format.hpp"
#include "export/names.hpp"
#include "export/text/arp.hpp"

namespace sonde::exporter {
namespace {

constexpr std::size_t max_name_size = 64;
constexpr std::uint32_t icmp_header_size = 8;
constexpr std::uint16_t ether_type_ipv4 = 0x0800;
constexpr std::uint16_t ether_type_arp = 0x0806;
constexpr std::uint16_t ether_type_ipv6 = 0x86dd;
constexpr std::uint16_t first_ether_type = 0x600;  // smaller values are lengths (IEEE 802.3)
constexpr std::uint8_t tcp_reset = 4;

// Names come from the kernel or from a file: what a terminal would obey is not passed on.
std::string printable(std::string name) {
  if (name.size() > max_name_size) name.resize(max_name_size);
  for (char& character : name) {
    if (static_cast<unsigned char>(character) <= ' ' || character == 0x7f) character = '?';
  }
  return name;
}

char* append_labelled(char* out, std::string_view label, std::uint32_t value) {
  return append_number(append(out, label), value);
}

char* append_vlan(char* out, const sonde_packet_event& event) {
  if (!(event.flags & SONDE_PACKET_VLAN)) return out;
  out = append_labelled(out, "vlan ", event.vlan_outer & 0xfffU);
  if (event.flags & SONDE_PACKET_QINQ) out = append_labelled(out, ", vlan ", event.vlan_inner & 0xfffU);
  return append(out, ", ");
}

char* append_endpoint(char* out, const sonde_packet_event& event, const std::uint8_t* address, std::uint16_t port) {
  out = event.flags & SONDE_PACKET_IPV4 ? append_ipv4(out, address + 12) : append_ipv6(out, address);
  if (event.flags & SONDE_PACKET_PORTS) {
    *out++ = '.';
    out = append_number(out, port);
  }
  return out;
}

// The sequence numbers are those in the packet, as with tcpdump -S.
char* append_tcp(char* out, const sonde_packet_event& event, const Palette& palette) {
  const bool reset = event.tcp_flags & tcp_reset;
  out = append(out, reset ? palette.alert : palette.protocol[static_cast<std::size_t>(ProtocolClass::tcp)]);
  out = append(out, "Flags [");
  out = append(out, tcp_flag_letters(event.tcp_flags));
  *out++ = ']';
  out = append(out, palette.plain);
  out = append_labelled(out, ", seq ", event.tcp_sequence);
  if (event.payload_size > 0) out = append_labelled(out, ":", event.tcp_sequence + event.payload_size);
  constexpr std::uint8_t acknowledgment = 16;
  if (event.tcp_flags & acknowledgment) out = append_labelled(out, ", ack ", event.tcp_acknowledgment);
  out = append_labelled(out, ", win ", event.tcp_window);
  return append_labelled(out, ", length ", event.payload_size);
}

// Identifier and sequence number stand in the last four bytes of the header, and only there: no event member has them.
char* append_echo(char* out, const Packet& packet) {
  const std::size_t end = packet.event->payload_offset;
  if (end > packet.event->captured_size || end < icmp_header_size) return out;
  const std::uint8_t* field = packet.data + end - 4;
  out = append_labelled(out, ", id ", static_cast<std::uint32_t>(field[0] << 8 | field[1]));
  return append_labelled(out, ", seq ", static_cast<std::uint32_t>(field[2] << 8 | field[3]));
}

bool is_echo(const sonde_packet_event& event) {
  if (event.protocol == IPPROTO_ICMPV6) return event.icmp_type == 128 || event.icmp_type == 129;
  return event.icmp_type == 8 || event.icmp_type == 0;
}

char* append_icmp(char* out, const Packet& packet, const Palette& palette) {
  const sonde_packet_event& event = *packet.event;
  const bool v6 = event.protocol == IPPROTO_ICMPV6;
  const std::uint8_t type = event.icmp_type;
  const std::string_view name = v6 ? icmp6_type_name(type) : icmp_type_name(type);
  const std::string_view code = v6 ? icmp6_code_name(type, event.icmp_code) : icmp_code_name(type, event.icmp_code);
  out = append(out, palette.protocol[static_cast<std::size_t>(v6 ? ProtocolClass::icmp6 : ProtocolClass::icmp)]);
  out = append(out, v6 ? "ICMP6, " : "ICMP ");
  out = name.empty() ? append_labelled(out, "type ", type) : append(out, name);
  if (!code.empty()) {
    out = append(append(out, " ("), code);
    *out++ = ')';
  } else if (event.icmp_code != 0) {
    out = append_labelled(out, ", code ", event.icmp_code);
  }
  out = append(out, palette.plain);
  if (is_echo(event)) out = append_echo(out, packet);
  return append_labelled(out, ", length ", event.payload_size + icmp_header_size);
}

// UDP, SCTP, protocols without a parser, and every packet whose transport header could not be read.
char* append_other_ip(char* out, const sonde_packet_event& event, const Palette& palette) {
  const std::string_view name = ip_protocol_name(event.protocol);
  out = append(out, palette.protocol[static_cast<std::size_t>(protocol_class(event))]);
  out = name.empty() ? append_labelled(out, "ip-proto-", event.protocol) : append(out, name);
  out = append(out, palette.plain);
  return append_labelled(out, ", length ", event.payload_size);
}

char* append_transport(char* out, const Packet& packet, const Palette& palette) {
  const sonde_packet_event& event = *packet.event;
  if (!has_transport(event)) return append_other_ip(out, event, palette);
  if (event.protocol == IPPROTO_TCP) return append_tcp(out, event, palette);
  if (event.protocol == IPPROTO_ICMP || event.protocol == IPPROTO_ICMPV6) return append_icmp(out, packet, palette);
  return append_other_ip(out, event, palette);
}

char* append_ip(char* out, const Packet& packet, const Palette& palette) {
  const sonde_packet_event& event = *packet.event;
  out = append(out, event.flags & SONDE_PACKET_IPV4 ? "IP " : "IP6 ");
  out = append_endpoint(out, event, event.source_address, event.source_port);
  out = append(out, " > ");
  out = append_endpoint(out, event, event.destination_address, event.destination_port);
  out = append(out, ": ");
  out = append_transport(out, packet, palette);
  if (event.flags & SONDE_PACKET_FRAGMENT) out = append_labelled(out, ", frag offset ", event.fragment_offset * 8U);
  return out;
}

// Also IP whose header could not be read: then the EtherType is all there is.
char* append_not_ip(char* out, const Packet& packet, const Palette& palette) {
  const sonde_packet_event& event = *packet.event;
  if (event.status == SONDE_PARSE_TRUNCATED_LINK) return append_labelled(out, "link, length ", event.packet_size);
  if (event.ether_type == ether_type_ipv4) return append_labelled(out, "IP, length ", event.payload_size);
  if (event.ether_type == ether_type_ipv6) return append_labelled(out, "IP6, length ", event.payload_size);
  out = append(out, palette.protocol[static_cast<std::size_t>(protocol_class(event))]);
  if (event.ether_type == ether_type_arp) {
    out = append(append(out, "ARP"), palette.plain);
    return append_labelled(append_arp(out, packet), ", length ", event.payload_size);
  }
  out = event.ether_type < first_ether_type ? append(out, "802.3")
                                            : append_hex16(append(out, "ethertype "), event.ether_type);
  return append_labelled(append(out, palette.plain), ", length ", event.payload_size);
}

char* append_status(char* out, const sonde_packet_event& event, const Palette& palette) {
  if (event.segments > 1) {
    out = append_labelled(out, ", ", event.segments);
    out = append(out, " segments");
  }
  if (event.status == SONDE_PARSE_OK) return out;
  out = append(out, palette.alert);
  out = append(out, status_remark(event.status));
  return append(out, palette.plain);
}

}  // namespace

LineFormatter::LineFormatter(TextOptions options)
    : palette_(options.colour ? colours : no_colours),
      time_(options.date ? "%Y-%m-%d %H:%M:%S" : "%H:%M:%S", TimeText::Zone::local) {}

LineFormatter::Prefixes LineFormatter::make_prefixes(const InterfaceTable& interfaces, std::uint32_t ifindex) const {
  const std::string name = printable(interface_name(interfaces, ifindex));
  const auto prefix = [&](sonde_direction direction, std::string_view word) {
    std::string text = " ";
    text.append(name).append(" ").append(palette_.direction[direction]).append(word);
    return text.append(palette_.plain).append(" ");
  };
  return {prefix(SONDE_DIRECTION_IN, "In "), prefix(SONDE_DIRECTION_OUT, "Out")};
}

char* LineFormatter::append(char* out, const Packet& packet, const InterfaceTable& interfaces) {
  const sonde_packet_event& event = *packet.event;
  const std::uint32_t ifindex = event.header.ifindex;
  const Prefixes& prefixes = prefixes_.get(ifindex, [&] { return make_prefixes(interfaces, ifindex); });
  out = time_.append(out, packet.wall_ns);
  out = exporter::append(out, prefixes[event.direction & 1]);
  out = append_vlan(out, event);
  const bool ip = event.flags & (SONDE_PACKET_IPV4 | SONDE_PACKET_IPV6);
  out = ip ? append_ip(out, packet, palette_) : append_not_ip(out, packet, palette_);
  out = append_labelled(out, ", size ", event.packet_size);
  return append_status(out, event, palette_);
}

}  // namespace sonde::exporter
