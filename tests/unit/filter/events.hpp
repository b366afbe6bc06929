// SPDX-License-Identifier: Apache-2.0
// Parsed packets for filter tests.
#pragma once
#include <arpa/inet.h>
#include <sonde/abi/packet.h>

#include <cstring>
#include <random>
#include <string>

namespace sonde::test {

struct EventFields {
  std::string source = "10.0.0.1";
  std::string destination = "10.0.0.2";
  bool ipv6 = false;
  std::uint16_t source_port = 40000;
  std::uint16_t destination_port = 443;
  std::uint8_t protocol = 6;
  std::uint8_t direction = SONDE_DIRECTION_IN;
  std::uint32_t size = 100;
};

/// An event as the parser would fill it: IPv4 addresses in their mapped form, ports valid.
inline sonde_packet_event make_event(const EventFields& fields) {
  sonde_packet_event event = {};
  const auto put = [&](const std::string& text, __u8* address) {
    if (fields.ipv6) {
      inet_pton(AF_INET6, text.c_str(), address);
      return;
    }
    address[10] = address[11] = 0xff;
    inet_pton(AF_INET, text.c_str(), address + 12);
  };
  put(fields.source, event.source_address);
  put(fields.destination, event.destination_address);
  event.source_port = fields.source_port;
  event.destination_port = fields.destination_port;
  event.protocol = fields.protocol;
  event.direction = fields.direction;
  event.packet_size = fields.size;
  event.flags = (fields.ipv6 ? SONDE_PACKET_IPV6 : SONDE_PACKET_IPV4) | SONDE_PACKET_PORTS;
  return event;
}

}  // namespace sonde::test
