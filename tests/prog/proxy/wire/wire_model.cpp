// SPDX-License-Identifier: Apache-2.0
#include "wire_model.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

namespace sonde::test {
namespace {

constexpr std::size_t link_size = 14;
constexpr unsigned fin_flag = 1, syn_flag = 2, rst_flag = 4, ack_flag = 16, ece_flag = 64, cwr_flag = 128;

std::uint32_t number(const Bytes& bytes, std::size_t at, std::size_t size) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < size; ++i) value = value << 8 | bytes.at(at + i);
  return value;
}

void put(Bytes& bytes, std::size_t at, std::size_t size, std::uint64_t value) {
  for (std::size_t i = 0; i < size; ++i) bytes.at(at + i) = static_cast<std::uint8_t>(value >> (8 * (size - 1 - i)));
}

Bytes part(const Bytes& bytes, std::size_t from, std::size_t to) {
  return {bytes.begin() + static_cast<std::ptrdiff_t>(from), bytes.begin() + static_cast<std::ptrdiff_t>(to)};
}

Bytes address_bytes(const __u32 (&address)[4]) {
  Bytes bytes(16);
  std::memcpy(bytes.data(), address, 16);
  return bytes;
}

Bytes mapped(const Bytes& ipv4) { return Bytes{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff} + ipv4; }

Bytes port_bytes(__u16 network_order) {
  Bytes bytes(2);
  std::memcpy(bytes.data(), &network_order, 2);
  return bytes;
}

// RFC 1071
std::uint16_t sum_of(const Bytes& bytes) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) sum += static_cast<std::uint64_t>(bytes[i]) << (i % 2 == 0 ? 8 : 0);
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(sum);
}

/// A checksum with which bytes of this sum, without their checksum, sum up to `wanted`.
std::uint16_t completing(std::uint16_t without, std::uint16_t wanted) {
  std::uint32_t sum = wanted + (0xffffU & ~std::uint32_t{without});
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(sum);
}

/// What is in a frame, as far as it can be told.
struct Parsed {
  bool ipv6 = false;
  bool more_fragments = false;
  unsigned service = 0, hops = 0;
  Bytes ip_header;
  Bytes source, destination;  // 16 bytes
  std::size_t tcp = 0;        // offset in the frame
  std::size_t length = 0;     // of the IP packet
};

bool parse_ipv4(const Bytes& frame, Parsed& parsed) {
  const std::size_t ip = link_size;
  if (frame.size() < ip + 20 + 20) return false;
  const std::size_t header = (frame[ip] & 15U) * 4;
  const auto fragment = number(frame, ip + 6, 2);
  if (frame[ip] >> 4 != 4 || header < 20 || frame[ip + 9] != 6 || (fragment & 0x1fff) != 0) return false;
  if (frame.size() < ip + header + 20) return false;
  parsed.more_fragments = (fragment & 0x2000) != 0;
  parsed.service = frame[ip + 1];
  parsed.hops = frame[ip + 8];
  parsed.ip_header = part(frame, ip, ip + header);
  parsed.source = mapped(part(frame, ip + 12, ip + 16));
  parsed.destination = mapped(part(frame, ip + 16, ip + 20));
  parsed.tcp = ip + header;
  parsed.length = number(frame, ip + 2, 2);
  return true;
}

bool parse_ipv6(const Bytes& frame, Parsed& parsed) {
  const std::size_t ip = link_size;
  if (frame.size() < ip + 40 + 20 || frame[ip] >> 4 != 6 || frame[ip + 6] != 6) return false;
  parsed.ipv6 = true;
  parsed.service = number(frame, ip, 2) >> 4 & 0xff;
  parsed.hops = frame[ip + 7];
  parsed.ip_header = part(frame, ip, ip + 40);
  parsed.source = part(frame, ip + 8, ip + 24);
  parsed.destination = part(frame, ip + 24, ip + 40);
  parsed.tcp = ip + 40;
  const auto payload = number(frame, ip + 4, 2);
  parsed.length = payload == 0 ? 0 : payload + 40;
  return true;
}

std::optional<Parsed> parse(const Bytes& frame) {
  Parsed parsed;
  const Bytes host(6, 0);  // loopback's address
  if (frame.size() < link_size || part(frame, 0, 6) != host) return {};
  const auto type = number(frame, 12, 2);
  if (type == ether_ipv4 ? !parse_ipv4(frame, parsed) : type != ether_ipv6 || !parse_ipv6(frame, parsed)) return {};
  if (parsed.length == 0) parsed.length = frame.size() - link_size;
  return parsed;
}

struct TcpPacket {
  Bytes header;  // with options
  Bytes payload;
  Bytes trailer;  // of the link
  std::uint32_t sequence = 0, acknowledgement = 0, flags = 0, window = 0;
};

std::optional<TcpPacket> parse_tcp(const Bytes& frame, const Parsed& parsed) {
  const std::size_t header = (frame[parsed.tcp + 12] >> 4) * 4, end = link_size + parsed.length;
  if (header < 20 || parsed.tcp + header > end || end > frame.size()) return {};
  TcpPacket packet;
  packet.header = part(frame, parsed.tcp, parsed.tcp + header);
  packet.payload = part(frame, parsed.tcp + header, end);
  packet.trailer = part(frame, end, frame.size());
  packet.sequence = number(packet.header, 4, 4);
  packet.acknowledgement = number(packet.header, 8, 4);
  packet.flags = packet.header[13];
  packet.window = number(packet.header, 14, 2);
  return packet;
}

std::int32_t distance(std::uint32_t a, std::uint32_t b) { return static_cast<std::int32_t>(a - b); }

void rewrite_timestamps(Bytes& header, std::size_t at, const sonde_wire_side_state& side, bool joining) {
  put(header, at + 2, 4, number(header, at + 2, 4) + side.timestamp_delta);
  const auto echo = number(header, at + 6, 4) + side.echo_delta;
  put(header, at + 6, 4, joining && distance(echo, side.echo_floor) < 0 ? side.echo_floor : echo);
}

void rewrite_sack(Bytes& header, std::size_t at, std::size_t size, const sonde_wire_side_state& side) {
  if ((side.flags & SONDE_WIRE_NO_SACK) != 0) {
    std::fill_n(header.begin() + static_cast<std::ptrdiff_t>(at), size, std::uint8_t{1});
    return;
  }
  constexpr std::size_t most = 4 * 8;  // blocks
  for (std::size_t edge = 2; edge + 4 <= std::min(size, 2 + most); edge += 4)
    put(header, at + edge, 4, number(header, at + edge, 4) + side.acknowledgement_delta);
}

void rewrite_options(Bytes& header, const sonde_wire_side_state& side, bool joining) {
  for (std::size_t at = 20; at < header.size() && header[at] != 0;) {
    if (header[at] == 1) {
      ++at;
      continue;
    }
    const std::size_t size = at + 1 < header.size() ? header[at + 1] : 0;
    if (size < 2 || at + size > header.size()) return;
    if (header[at] == 8 && size == 10) rewrite_timestamps(header, at, side, joining);
    if (header[at] == 5) rewrite_sack(header, at, size, side);
    at += size;
  }
}

Bytes rewrite_tcp(const TcpPacket& packet, const sonde_wire_side_state& side, bool joining) {
  auto header = packet.header;
  const auto source = port_bytes(side.source_port), destination = port_bytes(side.destination_port);
  std::copy(source.begin(), source.end(), header.begin());
  std::copy(destination.begin(), destination.end(), header.begin() + 2);
  put(header, 4, 4, packet.sequence + side.sequence_delta);
  if ((packet.flags & ack_flag) != 0) put(header, 8, 4, packet.acknowledgement + side.acknowledgement_delta);
  if ((side.flags & SONDE_WIRE_NO_ECN) != 0) header[13] &= static_cast<std::uint8_t>(~(ece_flag | cwr_flag));
  const auto window = std::uint64_t{packet.window} << side.window_shift_in >> side.window_shift_out;
  if ((packet.flags & syn_flag) == 0) put(header, 14, 2, std::min<std::uint64_t>(window, 0xffff));
  rewrite_options(header, side, joining);
  return header;
}

/// `sum`: of the whole header; 0xffff is right.
Bytes ipv4_header(Bytes header, const Bytes& source, const Bytes& destination, unsigned service, unsigned hops,
                  std::uint16_t sum) {
  header[1] = static_cast<std::uint8_t>(service);
  header[8] = static_cast<std::uint8_t>(hops);
  std::copy(source.begin() + 12, source.end(), header.begin() + 12);
  std::copy(destination.begin() + 12, destination.end(), header.begin() + 16);
  put(header, 10, 2, 0);
  put(header, 10, 2, completing(sum_of(header), sum));
  return header;
}

Bytes ipv6_header(Bytes header, const Bytes& source, const Bytes& destination, unsigned service, unsigned hops) {
  put(header, 0, 2, 0x6000 | service << 4 | (header[1] & 15U));
  header[7] = static_cast<std::uint8_t>(hops);
  std::copy(source.begin(), source.end(), header.begin() + 8);
  std::copy(destination.begin(), destination.end(), header.begin() + 24);
  return header;
}

constexpr std::uint16_t right_sum = 0xffff;

/// In place of the header that the packet has; for `size` bytes behind it. A checksum that is wrong stays so: the
/// receiver is to notice.
Bytes ip_header(const Parsed& parsed, bool to_ipv6, const Bytes& source, const Bytes& destination, unsigned service,
                unsigned hops, std::size_t size) {
  if (to_ipv6 && parsed.ipv6) return ipv6_header(parsed.ip_header, source, destination, service, hops);
  if (!to_ipv6 && !parsed.ipv6)
    return ipv4_header(parsed.ip_header, source, destination, service, hops, sum_of(parsed.ip_header));
  if (to_ipv6) {
    Bytes header(40, 0);
    header[6] = 6;
    put(header, 4, 2, size);
    return ipv6_header(header, source, destination, service, hops);
  }
  Bytes header(20, 0);
  header[0] = 0x45;
  put(header, 2, 2, size + 20);
  put(header, 6, 2, 0x4000);
  header[9] = 6;
  return ipv4_header(header, source, destination, service, hops, right_sum);
}

// RFC 9293 section 3.1, RFC 8200 section 8.1
std::uint16_t tcp_sum(const Bytes& source, const Bytes& destination, const Bytes& header, const Bytes& payload) {
  Bytes pseudo = source + destination;
  pseudo.resize(pseudo.size() + 8);
  put(pseudo, pseudo.size() - 8, 4, header.size() + payload.size());
  pseudo.back() = 6;
  return sum_of(pseudo + header + payload);
}

Bytes short_address(const Bytes& address, bool ipv6) { return ipv6 ? address : part(address, 12, 16); }

void set_checksum(Bytes& header, const Bytes& payload, const Bytes& source, const Bytes& destination) {
  put(header, 16, 2, 0);
  put(header, 16, 2, 0xffff & ~std::uint32_t{tcp_sum(source, destination, header, payload)});
}

constexpr std::int32_t greatest_window = 1 << 30;

void note(sonde_wire_side_state& side, sonde_wire_side_state& other, const TcpPacket& packet, std::uint32_t segments) {
  const auto end = packet.sequence + static_cast<std::uint32_t>(packet.payload.size());
  side.packets += segments;
  if (!packet.payload.empty()) {
    const auto more = distance(end, static_cast<std::uint32_t>(side.position));
    if (more <= 0) side.repeated += segments;
    if (more > 0 && more <= greatest_window) side.position += static_cast<std::uint64_t>(more);
  }
  if ((packet.flags & ack_flag) != 0) {
    const auto more = distance(packet.acknowledgement, side.acknowledgement);
    if (more > 0 && more <= greatest_window) side.acknowledgement = packet.acknowledgement;
    if ((other.seen & SONDE_WIRE_SAW_FIN) != 0 &&
        distance(packet.acknowledgement + side.acknowledgement_delta, other.fin) >= 0)
      other.seen |= SONDE_WIRE_FIN_ACKNOWLEDGED;
  }
  const auto ahead = distance(end, static_cast<std::uint32_t>(side.position));
  const bool ended = (side.seen & SONDE_WIRE_SAW_FIN) != 0;
  if ((packet.flags & fin_flag) != 0 && (ended ? ahead == 0 : ahead >= 0 && ahead <= greatest_window)) {
    side.fin = end + 1;
    side.seen |= SONDE_WIRE_SAW_FIN;
    if (!ended && (other.seen & SONDE_WIRE_SAW_FIN) == 0) side.seen |= SONDE_WIRE_FIRST_FIN;
  }
  // The other side takes a reset that stands where it expects something, and no other.
  const auto expected = other.acknowledgement - side.sequence_delta;
  const auto last = static_cast<std::uint32_t>(side.position) + (ended ? 1 : 0);
  const bool between = distance(packet.sequence, expected) >= 0 && distance(packet.sequence, last) <= 0;
  if ((packet.flags & rst_flag) != 0 && (between || packet.sequence == expected)) side.seen |= SONDE_WIRE_SAW_RESET;
}

bool is_over(const sonde_wire_connection& connection) {
  const auto client = connection.sides[0].seen, upstream = connection.sides[1].seen;
  return ((client | upstream) & SONDE_WIRE_SAW_RESET) != 0 || (client & upstream & SONDE_WIRE_FIN_ACKNOWLEDGED) != 0;
}

/// RFC 9293 section 3.5.2
Bytes reset_for(const Parsed& parsed, const TcpPacket& packet, const Bytes& frame) {
  const bool acknowledges = (packet.flags & ack_flag) != 0;
  Bytes header(20, 0);
  std::copy_n(frame.begin() + static_cast<std::ptrdiff_t>(parsed.tcp) + 2, 2, header.begin());
  std::copy_n(frame.begin() + static_cast<std::ptrdiff_t>(parsed.tcp), 2, header.begin() + 2);
  const auto end = packet.sequence + packet.payload.size() + ((packet.flags & syn_flag) != 0 ? 1 : 0) +
                   ((packet.flags & fin_flag) != 0 ? 1 : 0);
  put(header, 4, 4, acknowledges ? packet.acknowledgement : 0);
  put(header, 8, 4, acknowledges ? 0 : end);
  put(header, 12, 2, 0x5000 | rst_flag | (acknowledges ? 0 : ack_flag));
  set_checksum(header, {}, short_address(parsed.destination, parsed.ipv6), short_address(parsed.source, parsed.ipv6));
  auto ip = parsed.ip_header;
  if (parsed.ipv6)
    put(ip, 4, 2, 20);
  else
    put(ip, 2, 2, ip.size() + 20);
  if (parsed.ipv6) return ipv6_header(ip, parsed.destination, parsed.source, parsed.service, parsed.hops) + header;
  return ipv4_header(ip, parsed.destination, parsed.source, parsed.service, parsed.hops, right_sum) + header;
}

/// The TCP checksum as it arrived: right, or wrong by a difference that is kept.
std::uint16_t carried_checksum(const Parsed& parsed, const TcpPacket& packet, Bytes header, const Bytes& source,
                               const Bytes& destination) {
  const auto before = tcp_sum(short_address(parsed.source, parsed.ipv6), short_address(parsed.destination, parsed.ipv6),
                              packet.header, packet.payload);
  put(header, 16, 2, 0);
  return completing(tcp_sum(source, destination, header, packet.payload), before);
}

}  // namespace

const char* fate_name(Fate fate) {
  constexpr std::array names{"stack", "forwarded", "dropped", "reset"};
  return names.at(static_cast<std::size_t>(fate));
}

FlowBytes flow_bytes(const sonde_wire_flow& flow) {
  return address_bytes(flow.source) + address_bytes(flow.destination) + port_bytes(flow.source_port) +
         port_bytes(flow.destination_port);
}

WireModel::Result WireModel::take(const Bytes& frame, std::uint32_t segments, std::uint32_t segment_size) {
  const auto parsed = parse(frame);
  if (!parsed) return {Fate::stack, {}, "not TCP for this host"};
  const auto flow = parsed->source + parsed->destination + part(frame, parsed->tcp, parsed->tcp + 4);
  const auto place = flows.find(flow);
  if (place == flows.end()) return {Fate::stack, {}, "no such flow"};
  auto& connection = connections.at(place->second.connection);
  if (connection.phase < SONDE_WIRE_JOINING || connection.phase > SONDE_WIRE_ABORTED) return {Fate::stack, {}, "phase"};
  const auto drop = [&](__u64 sonde_wire_statistics::*counter, const char* why, std::uint64_t count = 1) {
    statistics.*counter += count;
    return Result{Fate::dropped, {}, why};
  };
  if (parsed->more_fragments) return drop(&sonde_wire_statistics::dropped_fragment, "fragment");
  const auto packet = parse_tcp(frame, *parsed);
  if (!packet) return drop(&sonde_wire_statistics::dropped_malformed, "lengths");
  auto& side = connection.sides[place->second.side];
  auto& other = connection.sides[1 - place->second.side];
  if ((packet->flags & (syn_flag | ack_flag)) == syn_flag && is_over(connection)) {
    std::erase_if(flows, [&](const auto& entry) { return entry.second.connection == place->second.connection; });
    connection.phase = SONDE_WIRE_FREED;
    connection.sides[0].seen |= SONDE_WIRE_PORT_REUSED;
    ++statistics.port_reused;
    return {Fate::stack, {}, "port reused"};
  }
  if (connection.phase == SONDE_WIRE_ABORTED) {
    if ((packet->flags & rst_flag) != 0) return {Fate::dropped, {}, "a reset of an aborted connection"};
    ++statistics.resets_answered;
    return {Fate::reset, reset_for(*parsed, *packet, frame), "aborted"};
  }
  const bool to_ipv6 = (side.flags & SONDE_WIRE_TO_IPV6) != 0, no_ecn = (side.flags & SONDE_WIRE_NO_ECN) != 0;
  auto longest = parsed->length + (to_ipv6 ? 40 : 20) - (parsed->ipv6 ? 40 : 20);
  if (segments > 1)
    longest = (parsed->tcp - link_size) + packet->header.size() + segment_size + (to_ipv6 ? 40 : 20) -
              (parsed->ipv6 ? 40 : 20);
  segments = std::max(segments, 1U);
  if (side.mtu != 0 && longest > side.mtu)
    return drop(&sonde_wire_statistics::dropped_too_big, "longer than the MTU", segments);
  if (no_ecn && (parsed->service & 3) == 3) return drop(&sonde_wire_statistics::dropped_congestion, "CE");
  if (parsed->hops <= 1) return drop(&sonde_wire_statistics::dropped_expired, "TTL");
  if (to_ipv6 && !parsed->ipv6 && parsed->ip_header.size() != 20)
    return drop(&sonde_wire_statistics::dropped_malformed, "IP options to IPv6");
  const auto from = short_address(address_bytes(side.source), to_ipv6);
  const auto to = short_address(address_bytes(side.destination), to_ipv6);
  auto header = rewrite_tcp(*packet, side, connection.phase == SONDE_WIRE_JOINING);
  put(header, 16, 2, carried_checksum(*parsed, *packet, header, from, to));
  const auto service = no_ecn ? parsed->service & ~3U : parsed->service;
  const auto ip = ip_header(*parsed, to_ipv6, address_bytes(side.source), address_bytes(side.destination), service,
                            parsed->hops - 1, header.size() + packet->payload.size());
  note(side, other, *packet, segments);
  statistics.packets += segments;
  statistics.bytes += packet->payload.size();
  if (side.ifindex == 0) return drop(&sonde_wire_statistics::dropped_no_route, "no route");
  return {Fate::forwarded, ip + header + packet->payload + packet->trailer, "forwarded"};
}

bool checksums_are_right(const Bytes& packet) {
  const bool ipv6 = packet.at(0) >> 4 == 6;
  const std::size_t header = ipv6 ? 40 : (packet[0] & 15U) * 4;
  const std::size_t stated = number(packet, ipv6 ? 4 : 2, 2);  // 0: all there is
  const std::size_t end = stated == 0 ? packet.size() : ipv6 ? 40 + stated : stated;
  const auto source = ipv6 ? part(packet, 8, 24) : part(packet, 12, 16);
  const auto destination = ipv6 ? part(packet, 24, 40) : part(packet, 16, 20);
  return (ipv6 || sum_of(part(packet, 0, header)) == 0xffff) &&
         tcp_sum(source, destination, part(packet, header, end), {}) == 0xffff;
}

}  // namespace sonde::test
