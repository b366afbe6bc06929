// SPDX-License-Identifier: Apache-2.0
#include "scripted_source.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <stdexcept>

#include "aggregate/facts.hpp"

namespace sonde::test {
namespace {

std::array<std::uint8_t, 16> address(const std::string& text) {
  std::array<std::uint8_t, 16> bytes{};
  if (::inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1) return bytes;
  bytes[10] = bytes[11] = 0xff;
  if (::inet_pton(AF_INET, text.c_str(), bytes.data() + 12) != 1) throw std::runtime_error("no address: " + text);
  return bytes;
}

}  // namespace

ScriptedFlow make_flow(const std::string& opener, std::uint16_t opener_port, const std::string& responder,
                       std::uint16_t responder_port, std::uint8_t protocol) {
  const auto from = std::pair(address(opener), opener_port);
  const auto to = std::pair(address(responder), responder_port);
  const bool opener_first = from < to;
  ScriptedFlow result;
  const std::array sides = {opener_first ? from : to, opener_first ? to : from};
  for (std::size_t side = 0; side < 2; ++side) {
    std::ranges::copy(sides[side].first, static_cast<std::uint8_t*>(result.flow.key.address[side]));
    result.flow.key.port[side] = sides[side].second;
  }
  result.flow.key.protocol = protocol;
  result.flow.key.group = 2;
  result.flow.flags = opener_first ? 0 : SONDE_FLOW_OPENER_1;
  result.flow.first_ns = result.flow.last_ns = 1'000'000'000;
  return result;
}

SocketOwner owned_by(const std::string& comm, std::uint32_t pid, const std::string& container) {
  auto process = std::make_shared<Process>();
  process->pid = pid;
  process->comm = comm;
  process->start_time_ns = pid;
  if (!container.empty()) process->container = Container{"docker", container, ""};
  SocketOwner owner;
  owner.owner.method = OwnerMethod::sk_storage;
  owner.owner.confidence = OwnerConfidence::high;
  owner.owner.pid = owner.owner.tid = pid;
  owner.owner.comm = comm;
  owner.owner.process = process;
  return owner;
}

void add_packets(ScriptedFlow& flow, std::size_t end, std::uint64_t packets, std::uint64_t bytes) {
  const auto opener = aggregate::opener_side(flow.flow);
  const auto side = end == 0 ? opener : 1 - opener;
  flow.flow.packets[side] += packets;
  flow.flow.bytes[side] += bytes;
}

void ScriptedSource::show(pipeline::FlowVisitor& visitor, const std::map<std::uint64_t, FlowEnd>& ended) {
  for (const auto& [id, scripted] : flows) {
    const auto end = ended.find(id);
    const bool is_new = !collected_.contains(id);
    auto& collected = collected_[id];
    pipeline::FlowSample sample{.flow = &scripted.flow,
                                .delta = {},
                                .id = id,
                                .is_new = is_new,
                                .end = end == ended.end() ? FlowEnd::none : end->second};
    for (std::size_t side = 0; side < 2; ++side) {
      const pipeline::FlowCount total{scripted.flow.packets[side], scripted.flow.bytes[side]};
      sample.delta[side] = {total.packets - collected[side].packets, total.bytes - collected[side].bytes};
      collected[side] = total;
      shown_ += sample.delta[side].packets;
    }
    if (sample.delta[0].packets + sample.delta[1].packets > 0 || end != ended.end()) visitor.visit(sample);
  }
  for (const auto& [id, end] : ended) {
    flows.erase(id);
    collected_.erase(id);
  }
}

Flow ScriptedSource::describe(const pipeline::FlowSample& sample) {
  ++described;
  const auto& scripted = flows.at(sample.id);
  const auto& raw = *sample.flow;
  const auto opener = aggregate::opener_side(raw);
  Flow flow;
  flow.id = sample.id;
  flow.first_wall_ns = to_wall_ns(raw.first_ns);
  flow.last_wall_ns = to_wall_ns(raw.last_ns);
  flow.interface = "eth0";
  flow.protocol = raw.key.protocol;
  for (std::size_t end = 0; end < 2; ++end) {
    const auto side = end == 0 ? opener : 1 - opener;
    flow.sides[end].endpoint = aggregate::endpoint(raw, end);
    flow.sides[end].packets = raw.packets[side];
    flow.sides[end].bytes = raw.bytes[side];
    flow.sides[end].retransmissions = raw.retransmissions[side];
    flow.sides[end].tcp_flags = raw.tcp_flags[side];
    flow.sides[end].hop_limit = raw.hop_limit[side];
  }
  flow.sides[0].owner = scripted.opener_owner;
  flow.sides[1].owner = scripted.responder_owner;
  if ((raw.flags & SONDE_FLOW_VLAN) != 0) flow.vlan = raw.vlan;
  flow.handshake_time = aggregate::round_trip_time(raw);
  flow.start_seen = (raw.flags & SONDE_FLOW_START_SEEN) != 0;
  flow.name = scripted.name;
  if (!flow.name.empty()) flow.name_source = FlowNameSource::tls;
  flow.end = sample.end;
  return flow;
}

}  // namespace sonde::test
