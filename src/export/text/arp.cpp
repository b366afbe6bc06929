// SPDX-License-Identifier: Apache-2.0
#include "export/text/arp.hpp"

#include <algorithm>
#include <array>

#include "export/format.hpp"

namespace sonde::exporter {
namespace {

constexpr std::size_t body_size = 28;
// Hardware Ethernet, protocol IPv4, address sizes 6 and 4, first byte of the operation.
constexpr std::array<std::uint8_t, 7> ethernet_ipv4 = {0, 1, 8, 0, 6, 4, 0};
enum { operation = 7, sender_mac = 8, sender_ip = 14, target_ip = 24 };

char* append_request(char* out, const std::uint8_t* body) {
  out = append(out, ", Request who-has ");
  out = append_ipv4(out, body + target_ip);
  out = append(out, " tell ");
  return append_ipv4(out, body + sender_ip);
}

char* append_reply(char* out, const std::uint8_t* body) {
  out = append(out, ", Reply ");
  out = append_ipv4(out, body + sender_ip);
  out = append(out, " is-at ");
  return append_mac(out, body + sender_mac);
}

}  // namespace

char* append_arp(char* out, const Packet& packet) {
  const std::size_t offset = packet.event->network_offset;
  if (offset + body_size > packet.event->captured_size) return out;
  const std::uint8_t* body = packet.data + offset;
  if (!std::equal(ethernet_ipv4.begin(), ethernet_ipv4.end(), body)) return out;
  if (body[operation] == 1) return append_request(out, body);
  if (body[operation] == 2) return append_reply(out, body);
  return out;
}

}  // namespace sonde::exporter
