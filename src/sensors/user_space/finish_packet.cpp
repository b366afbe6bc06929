// SPDX-License-Identifier: Apache-2.0
#include "sensors/user_space/finish_packet.hpp"

#include <algorithm>

#include "model/parse.hpp"

namespace sonde::user_space {

bool finish_packet(const RawPacket& raw, const filter::CompiledFilter& filter, std::uint32_t snaplen,
                   sonde_packet_event& event, Packet& packet) {
  event = {};
  event.header.ts_ns = static_cast<std::uint64_t>(raw.wall_ns);
  event.header.len = sizeof(event);
  event.header.type = SONDE_EVENT_PACKET;
  event.header.ifindex = raw.ifindex;
  event.direction = raw.direction;
  const auto captured = static_cast<std::uint32_t>(raw.bytes.size());
  event.captured_size = captured;
  parse_packet(raw.bytes, raw.wire_size, raw.link, {}, event);
  if (!filter::matches(filter, event, raw.bytes)) return false;
  event.captured_size = std::min<std::uint32_t>(captured, snaplen == 0 ? event.payload_offset : snaplen);
  packet = {.event = &event, .data = raw.bytes.data(), .wall_ns = raw.wall_ns};
  return true;
}

}  // namespace sonde::user_space
