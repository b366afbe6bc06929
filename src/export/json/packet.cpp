// SPDX-License-Identifier: Apache-2.0
#include "export/json/packet.hpp"

#include <netinet/in.h>

#include "export/format.hpp"
#include "export/names.hpp"

namespace sonde::exporter {
namespace {

// `prefix` holds what stands before the number: `,"seq":`.
char* append_member(char* out, std::string_view prefix, std::uint32_t value) {
  return append_number(append(out, prefix), value);
}

char* append_address(char* out, std::string_view prefix, const sonde_packet_event& event, const std::uint8_t* address) {
  out = append(out, prefix);
  out = event.flags & SONDE_PACKET_IPV4 ? append_ipv4(out, address + 12) : append_ipv6(out, address);
  *out++ = '"';
  return out;
}

char* append_network(char* out, const sonde_packet_event& event) {
  const bool ports = event.flags & SONDE_PACKET_PORTS;
  out = append_member(out, ",\"protocol_number\":", event.protocol);
  out = append_address(out, ",\"source\":\"", event, event.source_address);
  if (ports) out = append_member(out, ",\"source_port\":", event.source_port);
  out = append_address(out, ",\"destination\":\"", event, event.destination_address);
  if (ports) out = append_member(out, ",\"destination_port\":", event.destination_port);
  return append_member(out, ",\"ttl\":", event.hop_limit);
}

char* append_tcp(char* out, const sonde_packet_event& event) {
  out = append(out, ",\"flags\":\"");
  if (event.tcp_flags != 0) out = append(out, tcp_flag_letters(event.tcp_flags));
  out = append_member(out, "\",\"seq\":", event.tcp_sequence);
  out = append_member(out, ",\"ack\":", event.tcp_acknowledgment);
  return append_member(out, ",\"window\":", event.tcp_window);
}

char* append_icmp(char* out, const sonde_packet_event& event) {
  const bool v6 = event.protocol == IPPROTO_ICMPV6;
  const std::string_view name = v6 ? icmp6_type_name(event.icmp_type) : icmp_type_name(event.icmp_type);
  out = append_member(out, ",\"icmp\":{\"type\":", event.icmp_type);
  out = append_member(out, ",\"code\":", event.icmp_code);
  if (!name.empty()) {
    out = append(append(out, ",\"name\":\""), name);
    *out++ = '"';
  }
  *out++ = '}';
  return out;
}

char* append_transport(char* out, const sonde_packet_event& event) {
  if (event.protocol == IPPROTO_TCP) return append_tcp(out, event);
  if (event.protocol == IPPROTO_ICMP || event.protocol == IPPROTO_ICMPV6) return append_icmp(out, event);
  return out;
}

char* append_link(char* out, const sonde_packet_event& event) {
  if (event.flags & SONDE_PACKET_VLAN) {
    out = append_member(out, ",\"vlan\":[", event.vlan_outer & 0xfffU);
    if (event.flags & SONDE_PACKET_QINQ) out = append_member(out, ",", event.vlan_inner & 0xfffU);
    *out++ = ']';
  }
  out = append_hex16(append(out, ",\"ether_type\":\""), event.ether_type);
  *out++ = '"';
  return out;
}

char* append_fragment(char* out, const sonde_packet_event& event) {
  if (!(event.flags & SONDE_PACKET_FRAGMENT)) return out;
  out = append_member(out, ",\"fragment\":{\"offset\":", event.fragment_offset * 8U);
  *out++ = '}';
  return out;
}

}  // namespace

char* append_packet_fields(char* out, const sonde_packet_event& event) {
  out = append(append(out, "\"protocol\":\""), protocol_class_word(protocol_class(event)));
  *out++ = '"';
  if (event.flags & (SONDE_PACKET_IPV4 | SONDE_PACKET_IPV6)) out = append_network(out, event);
  out = append_member(out, ",\"size\":", event.packet_size);
  out = append_member(out, ",\"payload_size\":", event.payload_size);
  if (has_transport(event)) out = append_transport(out, event);
  out = append_link(out, event);
  out = append_fragment(out, event);
  if (event.segments > 1) out = append_member(out, ",\"segments\":", event.segments);
  out = append(append(out, ",\"status\":\""), status_word(event.status));
  *out++ = '"';
  return out;
}

}  // namespace sonde::exporter
