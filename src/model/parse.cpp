// SPDX-License-Identifier: Apache-2.0
#include "model/parse.hpp"

#include "parse.h"

namespace sonde {
namespace {

// A zeroed event that keeps what the source knows.
sonde_packet_event keep_source_members(const sonde_packet_event& event) {
  sonde_packet_event kept{};
  kept.header = event.header;
  kept.captured_size = event.captured_size;
  kept.segments = event.segments;
  kept.direction = event.direction;
  return kept;
}

}  // namespace

void parse_packet(std::span<const std::uint8_t> bytes, std::uint32_t wire_size, LinkType link, OffloadedTag tag,
                  sonde_packet_event& event) {
  event = keep_source_members(event);
  const int kernel_link = link == LinkType::raw_ip ? SONDE_LINK_RAW_IP : SONDE_LINK_ETHERNET;
  sonde_progress progress{.offset = 0, .limit = 0, .extension_size = 0, .tag_tpid = tag.tpid, .tag_tci = tag.tci};
  sonde_bytes packet{bytes.data(), bytes.data() + bytes.size(), wire_size, &progress};
  sonde_parse(&packet, kernel_link, &event);
}

}  // namespace sonde
