// SPDX-License-Identifier: Apache-2.0
#include "decode/payload.hpp"

#include <algorithm>

namespace sonde::decode {
namespace {

bool has_transport_payload(const sonde_packet_event& event) {
  if (!(event.flags & SONDE_PACKET_PORTS) || event.flags & SONDE_PACKET_LATER_FRAGMENT) return false;
  return event.status == SONDE_PARSE_OK || event.status == SONDE_PARSE_TRUNCATED_PAYLOAD;
}

}  // namespace

Bytes transport_payload(const Packet& packet) {
  const sonde_packet_event& event = *packet.event;
  if (!has_transport_payload(event) || event.payload_offset >= event.captured_size) return {};
  const std::uint32_t captured = event.captured_size - event.payload_offset;
  return packet.bytes().subspan(event.payload_offset, std::min(captured, event.payload_size));
}

bool payload_was_cut(const Packet& packet) { return transport_payload(packet).size() < packet.event->payload_size; }

}  // namespace sonde::decode
