// SPDX-License-Identifier: Apache-2.0
#include "flow_model.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <netinet/in.h>

#include <algorithm>

namespace sonde::test {
namespace {

constexpr int fin = 1;
constexpr int syn = 2;
constexpr int rst = 4;
constexpr int ack = 16;

// The unwrapped number nearest to `near` whose lower 32 bits are `number`.
std::uint64_t unwrap(std::uint32_t number, std::uint64_t near) {
  constexpr std::uint64_t turn = std::uint64_t{1} << 32;
  std::uint64_t best = (near & ~(turn - 1)) | number;
  for (const std::uint64_t other : {best - turn, best + turn}) {
    const auto distance = [&](std::uint64_t value) { return value > near ? value - near : near - value; };
    if (distance(other) < distance(best)) best = other;
  }
  return best;
}

void count_sequence(ModelSide& side, const sonde_packet_event& event, std::uint32_t segments) {
  const int flags = event.tcp_flags;
  if ((flags & rst) != 0) return;
  const std::uint64_t length = event.payload_size + ((flags & syn) != 0 ? 1U : 0U) + ((flags & fin) != 0 ? 1U : 0U);
  constexpr std::uint64_t far = std::uint64_t{1} << 40;  // so that nothing is ever below zero
  if (!side.end) {
    side.end = far + event.tcp_sequence + length;
    return;
  }
  const auto start = unwrap(event.tcp_sequence, *side.end);
  const bool probe = length <= 1 && (flags & (syn | fin)) == 0 && start + 1 == *side.end;
  if (start + length > *side.end)
    side.end = start + length;
  else if (length > 0 && !probe)
    side.retransmissions += segments;
}

bool is_over(const ModelFlow& flow) {
  const int either = flow.sides[0].tcp_flags | flow.sides[1].tcp_flags;
  const int both = flow.sides[0].tcp_flags & flow.sides[1].tcp_flags;
  return (either & rst) != 0 || (both & fin) != 0;
}

bool has_tcp(const sonde_packet_event& event) {
  return event.protocol == IPPROTO_TCP && (event.flags & SONDE_PACKET_PORTS) != 0 &&
         (event.status == SONDE_PARSE_OK || event.status == SONDE_PARSE_TRUNCATED_PAYLOAD);
}

bool starts_anew(const ModelFlow& flow, const sonde_packet_event& event) {
  if (!has_tcp(event) || (event.tcp_flags & (syn | ack | rst)) != syn || !is_over(flow)) return false;
  return !flow.start_seen || flow.answered;
}

// Who opened it, by this packet alone.
int opener_by(const sonde_packet_event& event, int side) {
  const bool syn_ack = has_tcp(event) && (event.tcp_flags & (syn | ack)) == (syn | ack);
  const bool whole = event.status == SONDE_PARSE_OK && (event.flags & SONDE_PACKET_LATER_FRAGMENT) == 0;
  const bool reply = whole && ((event.protocol == IPPROTO_ICMP && event.icmp_type == 0) ||
                               (event.protocol == IPPROTO_ICMPV6 && event.icmp_type == 129));
  return syn_ack || reply ? 1 - side : side;
}

void count(ModelFlow& flow, const sonde_packet_event& event, int side) {
  auto& from = flow.sides[static_cast<std::size_t>(side)];
  const std::uint32_t segments = event.segments > 1 ? event.segments : 1;
  from.packets += segments;
  from.bytes += event.packet_size;
  from.hop_limit = event.hop_limit;
  (event.direction == SONDE_DIRECTION_OUT ? from.sent : from.received) = true;
  if (!has_tcp(event)) return;
  if ((event.tcp_flags & syn) != 0 && !flow.start_seen) {
    flow.opener = opener_by(event, side);
    flow.start_seen = true;
  }
  if ((event.tcp_flags & (syn | ack | rst)) == (syn | ack) && side != flow.opener &&
      (flow.sides[static_cast<std::size_t>(flow.opener)].tcp_flags & syn) != 0)
    flow.answered = true;
  count_sequence(from, event, segments);
  from.tcp_flags |= event.tcp_flags;
}

std::string text_of(const ModelSide& side) {
  return fmt::format("{} packets {} bytes, flags {:#x} hop limit {} repeated {} end {}{}{}", side.packets, side.bytes,
                     side.tcp_flags, side.hop_limit, side.retransmissions,
                     side.end ? fmt::to_string(static_cast<std::uint32_t>(*side.end)) : "-",
                     side.received ? " received" : "", side.sent ? " sent" : "");
}

std::string text_of(const std::array<std::uint8_t, 16>& a, int port_a, const std::array<std::uint8_t, 16>& b,
                    int port_b, int protocol, const ModelFlow& flow) {
  return fmt::format("{:02x}:{} {:02x}:{} protocol {} opener {}{}{} vlan {} | {} | {}", fmt::join(a, ""), port_a,
                     fmt::join(b, ""), port_b, protocol, flow.opener, flow.start_seen ? " start" : "",
                     flow.answered ? " answered" : "", flow.vlan.value_or(-1), text_of(flow.sides[0]),
                     text_of(flow.sides[1]));
}

ModelFlow as_model(const sonde_flow& flow) {
  const auto has = [&](int bit) { return (flow.flags & bit) != 0; };
  ModelFlow model;
  model.opener = has(SONDE_FLOW_OPENER_1) ? 1 : 0;
  model.start_seen = has(SONDE_FLOW_START_SEEN);
  model.answered = has(SONDE_FLOW_SYN_ACK);
  if (has(SONDE_FLOW_VLAN)) model.vlan = flow.vlan;
  for (std::size_t i = 0; i < 2; ++i) {
    auto& side = model.sides[i];
    side = {flow.packets[i],
            flow.bytes[i],
            flow.retransmissions[i],
            flow.tcp_flags[i],
            flow.hop_limit[i],
            has(SONDE_FLOW_RECEIVED_0 << i),
            has(SONDE_FLOW_SENT_0 << i),
            {}};
    if (has(SONDE_FLOW_SEQUENCE_0 << i)) side.end = flow.sequence_end[i];
  }
  return model;
}

}  // namespace

void FlowModel::add(const sonde_packet_event& event) {
  if ((event.flags & (SONDE_PACKET_IPV4 | SONDE_PACKET_IPV6)) == 0) {
    ++without_ip_;
    return;
  }
  Endpoint source{std::to_array(event.source_address), event.source_port};
  Endpoint destination{std::to_array(event.destination_address), event.destination_port};
  const int side = source > destination ? 1 : 0;
  auto& all = flows_[Key{std::min(source, destination), std::max(source, destination), event.protocol}];
  if (all.empty() || starts_anew(all.back(), event)) {
    all.emplace_back().opener = opener_by(event, side);
    if ((event.flags & SONDE_PACKET_VLAN) != 0) all.back().vlan = event.vlan_outer & 0xfff;
  }
  count(all.back(), event, side);
}

std::vector<std::string> FlowModel::text() const {
  std::vector<std::string> lines;
  for (const auto& [key, flows] : flows_) {
    const auto& [low, high, protocol] = key;
    for (const auto& flow : flows)
      lines.push_back(
          text_of(std::get<0>(low), std::get<1>(low), std::get<0>(high), std::get<1>(high), protocol, flow));
  }
  std::ranges::sort(lines);
  return lines;
}

std::vector<std::string> text_of(const std::vector<sonde_flow>& flows) {
  std::vector<std::string> lines;
  lines.reserve(flows.size());
  for (const auto& flow : flows)
    lines.push_back(text_of(std::to_array(flow.key.address[0]), flow.key.port[0], std::to_array(flow.key.address[1]),
                            flow.key.port[1], flow.key.protocol, as_model(flow)));
  std::ranges::sort(lines);
  return lines;
}

}  // namespace sonde::test
