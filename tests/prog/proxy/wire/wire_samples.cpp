// SPDX-License-Identifier: Apache-2.0
#include "wire_samples.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

namespace sonde::test {
namespace {

void set_address(__u32 (&place)[4], bool ipv6, std::uint8_t network, std::uint8_t host) {
  const std::array<std::uint8_t, 16> six{0xfd, 8, 0, network, 0, 0, 0, 0, 0, 0, 0, 0, 0xab, 0xcd, 0, host};
  const std::array<std::uint8_t, 16> four{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 8, network, host};
  std::memcpy(place, ipv6 ? six.data() : four.data(), 16);
}

bool is_ipv4(const __u32 (&address)[4]) { return address[0] == 0 && address[1] == 0 && address[2] == htonl(0xffff); }

Bytes word_bytes(std::uint32_t value) {
  Bytes bytes(4);
  value = htonl(value);
  std::memcpy(bytes.data(), &value, 4);
  return bytes;
}

}  // namespace

void WireSamples::fill_side(sonde_wire_side_state& side, std::uint32_t start) {
  side.sequence_delta = word();
  side.timestamp_delta = word();
  side.echo_floor = word();
  side.window_shift_in = static_cast<std::uint8_t>(below(15));
  side.window_shift_out = static_cast<std::uint8_t>(below(15));
  side.flags |= static_cast<std::uint8_t>((one_in(4) ? SONDE_WIRE_NO_SACK : 0) | (one_in(4) ? SONDE_WIRE_NO_ECN : 0));
  side.ifindex = one_in(20) ? 0 : 1;
  side.mtu = 0;
  side.start = start;
  side.position = start;
}

WireSamples::Made WireSamples::connection(std::uint32_t index) {
  Made made;
  const bool client_ipv6 = one_in(2), upstream_ipv6 = one_in(2);
  const auto port = static_cast<std::uint16_t>(10'000 + index);
  auto& [client, upstream] = made.flows;
  set_address(client.source, client_ipv6, 1, 1);
  set_address(client.destination, client_ipv6, 1, 2);
  set_address(upstream.source, upstream_ipv6, 2, 1);
  set_address(upstream.destination, upstream_ipv6, 2, 2);
  client.source_port = htons(port);
  client.destination_port = htons(443);
  upstream.source_port = htons(9443);
  upstream.destination_port = htons(static_cast<std::uint16_t>(port + 20'000));
  auto& sides = made.connection.sides;
  for (int i = 0; i < 2; ++i) {
    const auto& other = made.flows.at(1 - i);
    std::memcpy(sides[i].source, other.destination, 16);
    std::memcpy(sides[i].destination, other.source, 16);
    sides[i].source_port = other.destination_port;
    sides[i].destination_port = other.source_port;
    sides[i].flags = static_cast<std::uint8_t>((is_ipv4(made.flows.at(i).source) ? 0 : SONDE_WIRE_FROM_IPV6) |
                                               (is_ipv4(other.source) ? 0 : SONDE_WIRE_TO_IPV6));
    fill_side(sides[i], one_in(2) ? word() : 0xffffffff - below(20'000));
  }
  for (int i = 0; i < 2; ++i) {
    sides[i].acknowledgement_delta = 0 - sides[1 - i].sequence_delta;
    sides[i].echo_delta = 0 - sides[1 - i].timestamp_delta;
    sides[i].acknowledgement = sides[1 - i].start + sides[1 - i].sequence_delta;
  }
  constexpr std::array<std::uint32_t, 10> phases{
      SONDE_WIRE_SPLICED, SONDE_WIRE_SPLICED, SONDE_WIRE_SPLICED, SONDE_WIRE_SPLICED, SONDE_WIRE_SPLICED,
      SONDE_WIRE_JOINING, SONDE_WIRE_JOINING, SONDE_WIRE_ABORTED, SONDE_WIRE_TAKEN,   SONDE_WIRE_FREED};
  made.connection.phase = phases.at(below(phases.size()));
  made.connection.id = index + 1;
  return made;
}

Bytes WireSamples::sack() {
  Bytes bytes;
  for (auto edges = 2 * (1 + below(4)); edges > 0; --edges) bytes = bytes + word_bytes(word());
  bytes.insert(bytes.begin(), {5, static_cast<std::uint8_t>(bytes.size() + 2)});
  return bytes;
}

// Also what nobody sends: lengths that are wrong, kinds that are unknown.
Bytes WireSamples::any_option() {
  constexpr std::array<std::uint8_t, 9> kinds{0, 1, 2, 3, 4, 5, 8, 19, 254};
  Bytes bytes{kinds.at(below(kinds.size())), static_cast<std::uint8_t>(one_in(3) ? below(256) : 2 + below(12))};
  while (bytes.size() < bytes[1] && bytes.size() < 40) bytes.push_back(static_cast<std::uint8_t>(below(256)));
  return bytes;
}

Bytes WireSamples::options() {
  const auto timestamps = Bytes{8, 10} + word_bytes(word()) + word_bytes(word());
  Bytes bytes;
  switch (below(8)) {
    case 0: break;
    case 1: bytes = Bytes{1, 1} + timestamps; break;
    case 2: bytes = Bytes{1, 1} + timestamps + Bytes{1, 1} + sack(); break;
    case 3: bytes = Bytes{1, 1} + sack(); break;
    case 4: bytes = timestamps; break;
    case 5: bytes = Bytes{1} + timestamps + Bytes{0} + sack(); break;
    case 6: bytes = sack() + timestamps; break;
    default:
      for (auto count = 1 + below(5); count > 0; --count)
        bytes = bytes + (one_in(3)   ? timestamps
                         : one_in(3) ? sack()
                         : one_in(3) ? Bytes(1 + below(3), 1)
                                     : any_option());
      break;
  }
  if (bytes.size() > 40) bytes.resize(40);
  const auto padding = static_cast<std::uint8_t>(below(2));
  while (bytes.size() % 4 != 0) bytes.push_back(padding);
  return bytes;
}

Tcp WireSamples::header(const sonde_wire_flow& flow, const sonde_wire_side_state& side,
                        const sonde_wire_side_state& other, std::uint32_t payload) {
  constexpr std::array<std::uint8_t, 8> usual{0x10, 0x18, 0x10, 0x11, 0x14, 0x04, 0x02, 0x12};
  Tcp tcp{.source_port = ntohs(flow.source_port), .destination_port = ntohs(flow.destination_port)};
  tcp.flags = one_in(3) ? static_cast<std::uint8_t>(below(256)) : one_in(2) ? 0x10 : usual.at(below(usual.size()));
  constexpr std::uint32_t near = 2000;
  const auto next = static_cast<std::uint32_t>(side.position);
  tcp.sequence = one_in(10) ? word() : one_in(5) ? next - payload : next + (one_in(2) ? 0 : below(2 * near) - near);
  const auto expected = static_cast<std::uint32_t>(other.position) + other.sequence_delta + (other.fin != 0 ? 1 : 0);
  tcp.acknowledgment = one_in(10) ? word() : expected + (one_in(2) ? 0 : below(2 * near) - near);
  tcp.window = static_cast<std::uint16_t>(one_in(4) ? 0 : below(65'536));
  tcp.options = options();
  if (one_in(20)) tcp.data_offset = static_cast<std::uint8_t>(below(16));
  return tcp;
}

Bytes WireSamples::ip_packet(const sonde_wire_flow& flow, const Bytes& segment) {
  const auto hops = static_cast<std::uint8_t>(one_in(10) ? below(3) : 2 + below(254));
  if (is_ipv4(flow.source)) {
    Ipv4 ip{.ttl = hops};
    std::memcpy(ip.source.data(), &flow.source[3], 4);
    std::memcpy(ip.destination.data(), &flow.destination[3], 4);
    if (one_in(15)) ip.options = Bytes(4 * (1 + below(10)), 1);
    if (one_in(15)) ip.fragment = static_cast<std::uint16_t>(one_in(2) ? 0x2000 : below(0x4000));
    if (one_in(40)) ip.protocol = 17;
    if (one_in(30)) ip.first_byte = static_cast<std::uint8_t>(below(256));
    if (one_in(30)) ip.total_length = static_cast<std::uint16_t>(one_in(2) ? 0 : below(2000));
    return ipv4(ip, segment);
  }
  Ipv6 ip{.hop_limit = hops};
  std::memcpy(ip.source.data(), flow.source, 16);
  std::memcpy(ip.destination.data(), flow.destination, 16);
  if (one_in(30)) ip.payload_length = static_cast<std::uint16_t>(one_in(2) ? 0 : below(2000));
  if (one_in(30)) ip.first_byte = static_cast<std::uint8_t>(below(256));
  if (!one_in(15)) return ipv6(ip, segment);
  constexpr std::array<std::uint8_t, 4> kinds{0, 43, 44, 60};
  ip.next = kinds.at(below(kinds.size()));
  return ipv6(ip, ip.next == 44 ? fragment_extension(6, static_cast<std::uint16_t>(below(0x10000)), segment)
                                : extension(ip.next, 6, 8 * (1 + below(3)), segment));
}

// Type of service, tags, link padding, the end cut off, bits that have turned.
void WireSamples::spoil(Bytes& frame) {
  const bool ipv4_frame = frame[12] == 8 && frame.size() > 16;
  const auto service = below(256);
  if (ipv4_frame && one_in(2)) {  // with the checksum that this wants
    const std::uint32_t before = frame[14] << 8 | frame[15];
    frame[15] = static_cast<std::uint8_t>(service);
    std::uint32_t sum = (0xffffU & ~static_cast<std::uint32_t>(frame[24] << 8 | frame[25])) + (0xffff & ~before) +
                        (frame[14] << 8 | service);
    while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
    frame[24] = static_cast<std::uint8_t>(~sum >> 8);
    frame[25] = static_cast<std::uint8_t>(~sum);
  } else if (!ipv4_frame && one_in(2)) {
    frame[14] = static_cast<std::uint8_t>((frame[14] & 0xf0) | service >> 4);
    frame[15] = static_cast<std::uint8_t>(service << 4 | below(16));
    frame[16] = static_cast<std::uint8_t>(below(256));
  }
  if (one_in(15)) frame.resize(frame.size() + below(30), 0xee);
  if (one_in(15)) frame.resize(15 + below(static_cast<std::uint32_t>(frame.size()) - 15));
  if (one_in(25)) frame.at(14 + below(static_cast<std::uint32_t>(frame.size()) - 14)) ^= 1U << below(8);
  if (one_in(40)) frame[5] = 7;  // another host's
  if (one_in(30)) frame.insert(frame.begin() + 12, {0x81, 0, 0, 5});
  if (one_in(60)) frame[12] = 8, frame[13] = 6;  // ARP
}

WireSamples::Sample WireSamples::sample(const WireModel& model,
                                        const std::vector<std::array<sonde_wire_flow, 2>>& flows) {
  const auto index = below(static_cast<std::uint32_t>(flows.size()));
  const auto from = below(2);
  auto flow = flows[index].at(from);
  if (one_in(40)) flow.source_port ^= htons(512);
  const auto& sides = model.connections.at(index).sides;
  Bytes payload(one_in(2) ? 0 : below(1400), 0);
  for (auto& byte : payload) byte = static_cast<std::uint8_t>(below(256));
  const auto tcp_header = header(flow, sides[from], sides[1 - from], static_cast<std::uint32_t>(payload.size()));
  Sample made;
  made.frame = ethernet({.type = is_ipv4(flow.source) ? ether_ipv4 : ether_ipv6},
                        ip_packet(flow, one_in(40) ? udp({}, payload) : tcp(tcp_header, payload)));
  std::fill_n(made.frame.begin(), 6, std::uint8_t{0});  // loopback's
  spoil(made.frame);
  const bool same_family = is_ipv4(flows[index][0].source) == is_ipv4(flows[index][1].source);
  if (same_family && payload.size() > 100 && one_in(3)) {
    made.segment_size = 100;
    made.segments = static_cast<std::uint32_t>((payload.size() + 99) / 100);
  }
  return made;
}

}  // namespace sonde::test
