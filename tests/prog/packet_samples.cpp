// SPDX-License-Identifier: Apache-2.0
#include "packet_samples.hpp"

#include <algorithm>
#include <cstring>

namespace sonde::test {

sonde_packet_event ipv4_event(const Bytes& frame, std::uint8_t protocol, std::uint16_t payload, std::uint32_t rest) {
  constexpr std::uint8_t source[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1};
  constexpr std::uint8_t destination[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 2};
  sonde_packet_event event{};
  std::memcpy(event.source_address, source, 16);
  std::memcpy(event.destination_address, destination, 16);
  event.packet_size = static_cast<std::uint32_t>(frame.size());
  event.payload_offset = payload;
  event.payload_size = rest;
  event.network_offset = 14;
  event.ether_type = 0x0800;
  event.protocol = protocol;
  event.flags = SONDE_PACKET_IPV4;
  event.hop_limit = 64;
  return event;
}

sonde_packet_event ipv6_event(const Bytes& frame, std::uint8_t protocol, std::uint16_t payload, std::uint32_t rest) {
  constexpr std::uint8_t source[16] = {0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  constexpr std::uint8_t destination[16] = {0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2};
  auto event = ipv4_event(frame, protocol, payload, rest);
  std::memcpy(event.source_address, source, 16);
  std::memcpy(event.destination_address, destination, 16);
  event.ether_type = 0x86dd;
  event.flags = SONDE_PACKET_IPV6;
  return event;
}

std::vector<Sample> all_samples() {
  auto all = network_samples();
  const auto transport = transport_samples();
  all.insert(all.end(), transport.begin(), transport.end());
  return all;
}

bool is_untagged_ip(const Sample& sample) {
  constexpr auto ip = SONDE_PACKET_IPV4 | SONDE_PACKET_IPV6;
  return (sample.expected.flags & ip) != 0 && (sample.expected.flags & SONDE_PACKET_VLAN) == 0;
}

Sample without_link_header(const Sample& sample) {
  constexpr std::uint16_t link = 14;
  Sample raw{sample.name, {sample.frame.begin() + link, sample.frame.end()}, sample.expected};
  raw.expected.packet_size -= link;
  raw.expected.payload_offset -= link;
  raw.expected.network_offset -= link;
  raw.expected.flags |= SONDE_PACKET_NO_LINK_HEADER;
  return raw;
}

}  // namespace sonde::test
