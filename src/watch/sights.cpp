// SPDX-License-Identifier: Apache-2.0
#include "watch/sights.hpp"

#include <netinet/in.h>

#include <algorithm>

#include "decode/bytes.hpp"
#include "decode/dns.hpp"
#include "decode/payload.hpp"

namespace sonde::watch {
namespace {

constexpr std::uint32_t most_descriptions = 4096;
constexpr std::size_t most_dns = 16384;
constexpr std::uint16_t ether_type_arp = 0x0806;
constexpr std::uint16_t dns_port = 53;

Address address_of(const sonde_flow& flow, std::size_t side) {
  Address address;
  std::ranges::copy(flow.key.address[side], address.begin());
  return address;
}

bool only_went_out(const sonde_flow& flow, std::size_t side) {
  const auto sent = static_cast<unsigned>(SONDE_FLOW_SENT_0) << side;
  const auto received = static_cast<unsigned>(SONDE_FLOW_RECEIVED_0) << side;
  return (flow.flags & (sent | received)) == sent;
}

detect::FlowSight sight_of(const pipeline::FlowSource& source, const pipeline::FlowSample& sample,
                           const std::array<bool, 2>& local) {
  const auto& flow = *sample.flow;
  const std::size_t opener = (flow.flags & SONDE_FLOW_OPENER_1) != 0 ? 1 : 0;
  detect::FlowSight sight;
  sight.id = sample.id;
  sight.wall_ns = source.to_wall_ns(flow.last_ns);
  sight.first_wall_ns = source.to_wall_ns(flow.first_ns);
  sight.protocol = flow.key.protocol;
  for (std::size_t i = 0; i < 2; ++i) {
    const auto side = i == 0 ? opener : 1 - opener;
    sight.endpoints[i] = {address_of(flow, side), flow.key.port[side]};
    sight.delta[i] = {sample.delta[side].packets, sample.delta[side].bytes};
    sight.total[i] = {flow.packets[side], flow.bytes[side]};
    sight.tcp_flags[i] = flow.tcp_flags[side];
    sight.hop_limit[i] = flow.hop_limit[side];
    sight.local[i] = local[side];
  }
  sight.is_new = sample.is_new;
  sight.start_seen = (flow.flags & SONDE_FLOW_START_SEEN) != 0;
  sight.unreachable = (flow.flags & SONDE_FLOW_UNREACHABLE) != 0;
  sight.end = sample.end;
  return sight;
}

// RFC 826 for Ethernet and IPv4; nothing for another kind, or if it was cut short.
std::optional<detect::ArpSight> read_arp(const pipeline::FlowPacket& packet) {
  const auto offset = packet.event->network_offset;
  if (packet.bytes.size() < offset + 28U || packet.bytes.size() < 14) return {};
  decode::Reader reader(packet.bytes.subspan(offset));
  const auto hardware = reader.u16(), protocol = reader.u16();
  const auto hardware_size = reader.u8(), protocol_size = reader.u8();
  const auto operation = reader.u16();
  if (hardware != 1 || protocol != 0x0800 || hardware_size != 6 || protocol_size != 4) return {};
  if (operation != 1 && operation != 2) return {};
  detect::ArpSight arp;
  arp.wall_ns = packet.wall_ns;
  arp.reply = operation == 2;
  std::ranges::copy(packet.bytes.subspan(6, 6), arp.frame_source.begin());
  arp.sender_address = arp.target_address = Address{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  std::ranges::copy(reader.take(6), arp.sender_mac.begin());
  std::ranges::copy(reader.take(4), arp.sender_address.begin() + 12);
  (void)reader.take(6);
  std::ranges::copy(reader.take(4), arp.target_address.begin() + 12);
  return arp;
}

}  // namespace

std::array<bool, 2> local_sides(const sonde_flow& flow, const LocalAddresses& local) {
  if (!local.known()) return {only_went_out(flow, 0), only_went_out(flow, 1)};
  return {local.contains(address_of(flow, 0)), local.contains(address_of(flow, 1))};
}

void Sights::begin() {
  descriptions_left_ = most_descriptions;
  dns_.clear();
  dns_owners_.clear();
}

bool Sights::wants_description(const detect::FlowSight& sight) {
  if (!sight.local[0] || descriptions_left_ == 0) return false;
  --descriptions_left_;
  return true;
}

const std::string& Sights::interface_of(const pipeline::FlowSample& sample) {
  auto& name = interfaces_[sample.flow->key.group];
  if (name.empty()) name = source_.describe(sample).interface;
  return name;
}

void Sights::show_described(const pipeline::FlowSample& sample, detect::FlowSight& sight) {
  const auto flow = source_.describe(sample);
  const auto& owner = flow.sides[0].owner;
  if (owner.owner.known()) sight.owner = &owner;
  sight.name = flow.name;
  if (sight.owner != nullptr && sight.protocol == IPPROTO_UDP && sight.endpoints[1].port == dns_port)
    dns_owners_.insert_or_assign(sight.endpoints[0], owner);
  detectors_.observe(sight, report_);
}

void Sights::visit(const pipeline::FlowSample& sample) {
  auto sight = sight_of(source_, sample, local_sides(*sample.flow, local_));
  packets_ += sight.delta[0].packets + sight.delta[1].packets;
  if (sample.is_new && ++flows_ == 1) first_ns_ = last_ns_ = sight.first_wall_ns;
  first_ns_ = std::min(first_ns_, sight.first_wall_ns);
  last_ns_ = std::max(last_ns_, sight.wall_ns);
  sight.interface = interface_of(sample);
  if (countries_ != nullptr && sight.local[0] != sight.local[1])
    sight.country = countries_->country(sight.endpoints[sight.local[0] ? 1 : 0].address);
  if (wants_description(sight))
    show_described(sample, sight);
  else
    detectors_.observe(sight, report_);
}

void Sights::visit(const pipeline::FlowPacket& packet) {
  if (packet.event->ether_type == ether_type_arp)
    show_arp(packet);
  else
    keep_dns(packet);
}

void Sights::show_arp(const pipeline::FlowPacket& packet) {
  auto arp = read_arp(packet);
  if (!arp) return;
  const auto interface = source_.interfaces().find(packet.event->header.ifindex);
  if (interface != source_.interfaces().end()) arp->interface = interface->second.name;
  detectors_.observe(*arp, report_);
}

void Sights::keep_dns(const pipeline::FlowPacket& packet) {
  const auto& event = *packet.event;
  const auto payload = decode::transport_payload(Packet{.event = &event, .data = packet.bytes.data()});
  auto message = decode::decode_dns(payload, decode::DnsTransport::udp);
  if (!message || message->questions.empty()) return;
  if (dns_.size() >= most_dns) {
    ++dns_left_out_;
    return;
  }
  Dns dns;
  dns.sight.wall_ns = packet.wall_ns;
  Endpoint source, destination;
  std::ranges::copy(event.source_address, source.address.begin());
  std::ranges::copy(event.destination_address, destination.address.begin());
  source.port = event.source_port;
  destination.port = event.destination_port;
  dns.sight.response = message->response;
  dns.sight.client = message->response ? destination : source;
  dns.sight.server = message->response ? source : destination;
  dns.name = std::move(message->questions.front().name);
  dns.sight.type = message->questions.front().type;
  dns.sight.response_code = message->rcode;
  if (message->response) dns.sight.answer_bytes = event.payload_size;
  dns_.push_back(std::move(dns));
}

void Sights::end() {
  for (auto& dns : dns_) {
    dns.sight.name = dns.name;
    const auto owner = dns_owners_.find(dns.sight.client);
    if (owner != dns_owners_.end()) dns.sight.owner = &owner->second;
    detectors_.observe(dns.sight, report_);
  }
}

}  // namespace sonde::watch
