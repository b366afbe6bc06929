// SPDX-License-Identifier: Apache-2.0
#include "filter/endpoints.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>

namespace sonde::filter {
namespace {

using Address = std::array<std::uint8_t, 16>;

constexpr std::uint16_t ether_type_ipv4 = 0x0800;
constexpr std::uint16_t ether_type_ipv6 = 0x86dd;
constexpr std::uint8_t ipv4_header_size = 20;
constexpr std::uint8_t ipv6_header_size = 40;
constexpr std::uint8_t hop_limit = 64;

// Bytes 0 to 9 are zero, 10 and 11 are 0xff: ::ffff:a.b.c.d.
constexpr Address unspecified_ipv4 = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0};

struct Ends {
  Endpoint source;
  Endpoint destination;
  bool ipv4 = false;
};

bool unknown(const Endpoint& end) { return end.address == Address{}; }

// A socket that is not connected, or bound to no address, has one unknown end; the other one tells the family.
Ends ends_of(const Socket& socket, sonde_direction direction) {
  Ends ends{socket.local, socket.remote, false};
  if (direction == SONDE_DIRECTION_IN) std::swap(ends.source, ends.destination);
  const auto may_be_ipv4 = [](const Endpoint& end) { return end.is_ipv4() || unknown(end); };
  ends.ipv4 = (ends.source.is_ipv4() || ends.destination.is_ipv4()) && may_be_ipv4(ends.source) &&
              may_be_ipv4(ends.destination);
  if (!ends.ipv4) return ends;
  for (auto* end : {&ends.source, &ends.destination})
    if (unknown(*end)) end->address = unspecified_ipv4;
  return ends;
}

std::uint8_t transport_header_size(std::uint8_t protocol) {
  switch (protocol) {
    case IPPROTO_TCP: return 20;
    case IPPROTO_UDP:
    case IPPROTO_UDPLITE: return 8;
    case IPPROTO_SCTP: return 12;
    default: return 0;
  }
}

bool has_ports(std::uint8_t protocol) {
  return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP;
}

sonde_packet_event make_event(const Ends& ends, std::uint8_t protocol, sonde_direction direction,
                              const EndpointPacket& packet) {
  const std::uint8_t network_size = ends.ipv4 ? ipv4_header_size : ipv6_header_size;
  sonde_packet_event event{};
  event.header.type = SONDE_EVENT_PACKET;
  std::ranges::copy(ends.source.address, event.source_address);
  std::ranges::copy(ends.destination.address, event.destination_address);
  event.flags =
      static_cast<std::uint8_t>(SONDE_PACKET_NO_LINK_HEADER | (ends.ipv4 ? SONDE_PACKET_IPV4 : SONDE_PACKET_IPV6));
  if (has_ports(protocol)) {
    event.flags |= SONDE_PACKET_PORTS;
    event.source_port = ends.source.port;
    event.destination_port = ends.destination.port;
  }
  event.payload_offset = static_cast<std::uint16_t>(network_size + transport_header_size(protocol));
  event.payload_size = packet.payload_size;
  event.packet_size = event.payload_offset + packet.payload_size;
  event.ether_type = ends.ipv4 ? ether_type_ipv4 : ether_type_ipv6;
  event.protocol = protocol;
  event.direction = static_cast<std::uint8_t>(direction);
  event.hop_limit = hop_limit;
  if (protocol != IPPROTO_TCP) return event;
  event.tcp_flags = packet.tcp_flags;
  event.tcp_sequence = packet.sequence;
  return event;
}

std::uint8_t* put16(std::uint8_t* out, std::uint32_t value) {
  *out++ = static_cast<std::uint8_t>(value >> 8);
  *out++ = static_cast<std::uint8_t>(value);
  return out;
}

std::uint8_t* put32(std::uint8_t* out, std::uint32_t value) { return put16(put16(out, value >> 16), value); }

std::uint8_t* put_ipv4(std::uint8_t* out, const sonde_packet_event& event) {
  constexpr std::uint32_t do_not_fragment = 0x4000;
  out = put16(out, 0x4500);
  out = put16(out, std::min<std::uint32_t>(event.packet_size, 0xffff));
  out = put32(out, do_not_fragment);
  *out++ = event.hop_limit;
  *out++ = event.protocol;
  out = put16(out, 0);  // checksum
  out = std::copy_n(event.source_address + 12, 4, out);
  return std::copy_n(event.destination_address + 12, 4, out);
}

std::uint8_t* put_ipv6(std::uint8_t* out, const sonde_packet_event& event) {
  out = put32(out, 0x60000000);
  out = put16(out, std::min<std::uint32_t>(event.packet_size - ipv6_header_size, 0xffff));
  *out++ = event.protocol;
  *out++ = event.hop_limit;
  out = std::copy_n(event.source_address, 16, out);
  return std::copy_n(event.destination_address, 16, out);
}

std::uint8_t* put_transport(std::uint8_t* out, const sonde_packet_event& event) {
  if (transport_header_size(event.protocol) == 0) return out;
  out = put16(put16(out, event.source_port), event.destination_port);
  if (event.protocol == IPPROTO_UDP || event.protocol == IPPROTO_UDPLITE) return put16(out, event.payload_size + 8);
  if (event.protocol != IPPROTO_TCP) return out;
  out = put32(out, event.tcp_sequence);
  out = put32(out, event.tcp_acknowledgment);
  *out++ = 0x50;  // data offset
  *out++ = event.tcp_flags;
  return out;
}

}  // namespace

bool matches_endpoints(const CompiledFilter& filter, const Socket& socket, sonde_direction direction,
                       const EndpointPacket& packet) {
  const auto ends = ends_of(socket, direction);
  auto event = make_event(ends, socket.protocol, direction, packet);
  std::array<std::uint8_t, 64> headers{};  // longest: IPv6 and TCP, 60
  put_transport(ends.ipv4 ? put_ipv4(headers.data(), event) : put_ipv6(headers.data(), event), event);
  event.captured_size = event.payload_offset;
  return matches(filter, event, {headers.data(), event.captured_size});
}

bool matches_endpoints(const CompiledFilter& filter, const Socket& socket, const EndpointPacket& packet) {
  if (!filter.has_expression && !has_field_tests(*filter.fields)) return true;
  return matches_endpoints(filter, socket, SONDE_DIRECTION_OUT, packet) ||
         matches_endpoints(filter, socket, SONDE_DIRECTION_IN, packet);
}

}  // namespace sonde::filter
