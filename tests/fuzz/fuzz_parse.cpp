// SPDX-License-Identifier: Apache-2.0
// Input: one byte of choices, two of wire size beyond the captured bytes, four of an offloaded tag, then the packet.
#include <cstddef>
#include <cstdint>
#include <vector>

#include "model/parse.hpp"

namespace {

constexpr std::size_t prefix = 7;

void check(bool holds) {
  if (!holds) __builtin_trap();
}

void check_event(const sonde_packet_event& event, std::uint32_t packet_size) {
  check(event.packet_size == packet_size);
  check(event.status < SONDE_PARSE_STATUS_COUNT);
  check(event.network_offset <= packet_size);
  check(event.payload_size <= packet_size);
  check((event.flags & SONDE_PACKET_PORTS) != 0 || (event.source_port == 0 && event.destination_port == 0));
  check((event.flags & SONDE_PACKET_QINQ) == 0 || (event.flags & SONDE_PACKET_VLAN) != 0);
  check((event.flags & SONDE_PACKET_IPV4) == 0 || (event.flags & SONDE_PACKET_IPV6) == 0);
  check((event.flags & SONDE_PACKET_LATER_FRAGMENT) == 0 || (event.flags & SONDE_PACKET_PORTS) == 0);
  if (event.status == SONDE_PARSE_OK) check(event.payload_offset + event.payload_size <= packet_size);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < prefix || size > 60'000) return 0;
  const bool raw_ip = (data[0] & 1) != 0;
  const bool tagged = (data[0] & 2) != 0 && !raw_ip;
  const std::span packet(data + prefix, size - prefix);
  const auto wire_size = static_cast<std::uint32_t>(packet.size()) + (data[1] << 8 | data[2]);
  sonde::OffloadedTag tag;
  if (tagged)
    tag = {static_cast<std::uint16_t>(data[3] << 8 | data[4]), static_cast<std::uint16_t>(data[5] << 8 | data[6])};
  sonde_packet_event event{};
  sonde::parse_packet(packet, wire_size, raw_ip ? sonde::LinkType::raw_ip : sonde::LinkType::ethernet, tag, event);
  check_event(event, wire_size + (tag.tpid != 0 ? 4 : 0));
  return 0;
}
