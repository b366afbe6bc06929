// SPDX-License-Identifier: Apache-2.0
#include "actuators/guard/model/packet.hpp"

#include <algorithm>

#include "actuators/guard/guard.abi.h"

namespace sonde::guard {
namespace {

using Frame = std::span<const std::uint8_t>;

std::uint16_t big16(Frame frame, std::size_t at) { return static_cast<std::uint16_t>(frame[at] << 8 | frame[at + 1]); }

struct NetworkHeader {
  std::uint16_t type = 0;  ///< EtherType
  std::size_t at = 0;
};

// Behind at most two tags.
std::optional<NetworkHeader> find_network(Frame frame, GuardLink link) {
  if (link == GuardLink::raw_ip) {
    if (frame.empty()) return {};
    return NetworkHeader{static_cast<std::uint16_t>(frame[0] >> 4 == 6 ? 0x86dd : 0x0800), 0};
  }
  std::size_t at = 12;
  for (int tags = 0; tags < 3; ++tags) {
    if (frame.size() < at + 2) return {};
    const auto type = big16(frame, at);
    if ((type != 0x8100 && type != 0x88a8) || tags == 2) return NetworkHeader{type, at + 2};
    at += 4;
  }
  return {};
}

/// The rest of a packet: what the IP header says belongs to it.
struct Rest {
  Frame bytes;
  bool more_fragments = false;
};

bool has_ports(std::uint8_t protocol) {
  constexpr std::array<std::uint8_t, 5> with_ports{6, 17, 33, 132, 136};
  return std::ranges::find(with_ports, protocol) != with_ports.end();
}

void cut_short(const Rest& rest, GuardPacket& packet) {
  (rest.more_fragments ? packet.evasive : packet.malformed) = true;
}

void read_transport(const Rest& rest, GuardPacket& packet) {
  if (!packet.protocol || packet.later_fragment || packet.malformed || packet.evasive) return;
  const bool icmp = *packet.protocol == 1 || *packet.protocol == 58;
  if (!icmp && !has_ports(*packet.protocol)) return;
  if (rest.bytes.size() < 4) return cut_short(rest, packet);
  if (icmp) {
    packet.icmp_type = rest.bytes[0];
    return;
  }
  packet.source_port = big16(rest.bytes, 0);
  packet.destination_port = big16(rest.bytes, 2);
  if (*packet.protocol == 6 && rest.bytes.size() > 13) packet.pure_syn = (rest.bytes[13] & 0x12) == 0x02;
}

void read_ipv4(Frame frame, GuardPacket& packet) {
  if (frame.size() < 20 || frame[0] >> 4 != 4 || (frame[0] & 15) < 5) {
    packet.malformed = true;
    return;
  }
  packet.family = 4;
  packet.source = packet.destination = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  std::copy_n(&frame[12], 4, &packet.source[12]);
  std::copy_n(&frame[16], 4, &packet.destination[12]);
  packet.protocol = frame[9];
  const auto fragment = big16(frame, 6);
  packet.later_fragment = (fragment & 0x1fff) != 0;
  const std::size_t header = (frame[0] & 15U) * 4U;
  const std::size_t length = big16(frame, 2) == 0 ? frame.size() : std::min<std::size_t>(big16(frame, 2), frame.size());
  if (header > length) {
    packet.malformed = true;
    return;
  }
  read_transport({frame.subspan(header, length - header), (fragment & 0x2000) != 0}, packet);
}

// RFC 8200 4; 0: no extension header.
std::size_t extension_size(std::uint8_t type, std::uint8_t length) {
  switch (type) {
    case 0:
    case 43:
    case 60:
    case 135:
    case 139:
    case 140: return (length + 1U) * 8;
    case 44: return 8;
    case 51: return (length + 2U) * 4;
    default: return 0;
  }
}

void read_ipv6(Frame frame, GuardPacket& packet) {
  if (frame.size() < 40 || frame[0] >> 4 != 6) {
    packet.malformed = true;
    return;
  }
  packet.family = 6;
  std::copy_n(&frame[8], 16, packet.source.begin());
  std::copy_n(&frame[24], 16, packet.destination.begin());
  Rest rest{frame.subspan(40), false};
  if (const auto length = big16(frame, 4); length != 0 && length < rest.bytes.size())
    rest.bytes = rest.bytes.first(length);
  auto next = frame[6];
  for (int extensions = 0; extension_size(next, 0) != 0; ++extensions) {
    if (extensions == SONDE_GUARD_MAX_EXTENSIONS) {
      packet.evasive = true;
      return;
    }
    if (rest.bytes.size() < 8) return cut_short(rest, packet);
    const auto size = extension_size(next, rest.bytes[1]);
    if (next == 44) {
      const auto fragment = big16(rest.bytes, 2);
      packet.later_fragment = (fragment & 0xfff8) != 0;
      if (!packet.later_fragment && (fragment & 1) != 0) rest.more_fragments = true;
    }
    if (rest.bytes.size() < size) return cut_short(rest, packet);
    next = rest.bytes[0];
    rest.bytes = rest.bytes.subspan(size);
    if (packet.later_fragment) break;
  }
  packet.protocol = next;
  read_transport(rest, packet);
}

}  // namespace

GuardPacket parse_guard_packet(std::span<const std::uint8_t> frame, GuardDirection direction, GuardLink link) {
  GuardPacket packet;
  packet.direction = direction;
  packet.size = static_cast<std::uint32_t>(frame.size());
  const auto network = find_network(frame, link);
  if (!network) {
    packet.malformed = true;
  } else if (network->type == 0x0800) {
    read_ipv4(frame.subspan(network->at), packet);
  } else if (network->type == 0x86dd) {
    read_ipv6(frame.subspan(network->at), packet);
  }
  return packet;
}

}  // namespace sonde::guard
