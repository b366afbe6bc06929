// SPDX-License-Identifier: Apache-2.0
#include "sensors/drops/decode.hpp"

#include <net/if.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>

#include "model/parse.hpp"
#include "model/socket.hpp"

namespace sonde::drops {
namespace {

// The packet had no headers when it was freed: addresses and ports are those of its socket, and that is all.
void describe_by_socket(const sonde_socket& socket, std::uint32_t size, sonde_packet_event& event) {
  event.status = SONDE_PARSE_SNAPPED;
  event.packet_size = size;
  event.payload_size = size;
  event.flags = SONDE_PACKET_NO_LINK_HEADER;
  if (socket.protocol == 0) return;
  const auto whole = model::socket_of(socket);
  const bool outgoing = event.direction == SONDE_DIRECTION_OUT;
  const Endpoint& source = outgoing ? whole.local : whole.remote;
  const Endpoint& destination = outgoing ? whole.remote : whole.local;
  const bool ipv4 = source.is_ipv4() || destination.is_ipv4();
  event.flags |= SONDE_PACKET_PORTS;
  event.flags |= ipv4 ? SONDE_PACKET_IPV4 : SONDE_PACKET_IPV6;
  event.ether_type = ipv4 ? 0x0800 : 0x86dd;
  event.protocol = socket.protocol;
  std::ranges::copy(source.address, event.source_address);
  std::ranges::copy(destination.address, event.destination_address);
  event.source_port = source.port;
  event.destination_port = destination.port;
}

void parse(const sonde_drop_event& raw, sonde_packet_event& event) {
  event.header = {raw.header.ts_ns, sizeof(event), SONDE_EVENT_PACKET, raw.header.ifindex};
  event.direction = raw.direction;
  event.segments = raw.segments;
  event.captured_size = raw.captured_size;
  if (raw.start == SONDE_START_NONE) {
    describe_by_socket(raw.socket, raw.packet_size, event);
    return;
  }
  const bool raw_ip = raw.start == SONDE_START_NETWORK;
  parse_packet({raw.bytes, raw.captured_size}, raw.packet_size, raw_ip ? LinkType::raw_ip : LinkType::ethernet,
               {.tci = raw.tag_tci, .tpid = raw.tag_tpid}, event);
}

bool plausible(const sonde_drop_event& raw) {
  return raw.header.type == SONDE_EVENT_DROP && raw.captured_size <= sizeof(raw.bytes) &&
         raw.captured_size <= raw.packet_size && raw.start <= SONDE_START_NONE;
}

}  // namespace

sonde_drop_event fixed_part(std::span<const std::uint8_t> record) {
  sonde_drop_event raw;
  std::memcpy(&raw, record.data(), sizeof(raw));
  return raw;
}

std::optional<Drop> decode_packet(std::span<const std::uint8_t> record) {
  if (record.size() < sizeof(sonde_drop_event)) return std::nullopt;
  const auto raw = fixed_part(record);
  if (!plausible(raw)) return std::nullopt;
  Drop drop;
  drop.reason_number = raw.reason;
  drop.ifindex = raw.header.ifindex;
  drop.interface.assign(raw.interface, ::strnlen(raw.interface, sizeof(raw.interface)));
  drop.network_namespace = raw.network_namespace;
  drop.bytes.assign(raw.bytes, raw.bytes + raw.captured_size);
  parse(raw, drop.packet);
  return drop;
}

bool is_answered_ping(const sonde_drop_event& raw, const Drop& drop) {
  const bool reply = (drop.packet.protocol == IPPROTO_ICMP && drop.packet.icmp_type == 0) ||
                     (drop.packet.protocol == IPPROTO_ICMPV6 && drop.packet.icmp_type == 129);
  return raw.copied != 0 && drop.reason == "NO_SOCKET" && reply && drop.packet.status == SONDE_PARSE_OK;
}

std::string InterfaceNames::name(std::uint32_t network_namespace, std::uint32_t ifindex) {
  constexpr std::chrono::seconds believed{5};
  constexpr std::size_t capacity = 4096;
  if (network_namespace == 0 || ifindex == 0) return {};
  const auto now = Clock::now();
  if (names_.size() >= capacity) names_.clear();
  const auto [entry, is_new] = names_.try_emplace({network_namespace, ifindex});
  if (is_new || now - entry->second.found_at >= believed) {
    char text[IF_NAMESIZE] = {};
    namespaces_.call(network_namespace, [&] { ::if_indextoname(ifindex, text); });
    entry->second = {text, now};
  }
  return entry->second.text;
}

}  // namespace sonde::drops
