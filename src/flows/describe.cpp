// SPDX-License-Identifier: Apache-2.0
#include "flows/describe.hpp"

#include <algorithm>

namespace sonde::flows {
namespace {

FlowSide describe_side(const sonde_flow& flow, std::size_t side) {
  FlowSide described;
  std::ranges::copy(flow.key.address[side], described.endpoint.address.begin());
  described.endpoint.port = flow.key.port[side];
  described.packets = flow.packets[side];
  described.bytes = flow.bytes[side];
  described.retransmissions = flow.retransmissions[side];
  described.tcp_flags = flow.tcp_flags[side];
  described.hop_limit = flow.hop_limit[side];
  return described;
}

}  // namespace

Flow describe(const sonde_flow& flow, FlowEnd end) {
  const std::size_t opener = (flow.flags & SONDE_FLOW_OPENER_1) != 0 ? 1 : 0;
  Flow described;
  described.protocol = flow.key.protocol;
  described.sides = {describe_side(flow, opener), describe_side(flow, 1 - opener)};
  described.start_seen = (flow.flags & SONDE_FLOW_START_SEEN) != 0;
  described.unreachable = (flow.flags & SONDE_FLOW_UNREACHABLE) != 0;
  described.end = end;
  if ((flow.flags & SONDE_FLOW_VLAN) != 0) described.vlan = flow.vlan;
  const std::chrono::microseconds syn_ack(flow.handshake_us[0]);
  if ((flow.flags & SONDE_FLOW_SYN_ACK) != 0) described.syn_ack_time = syn_ack;
  if ((flow.flags & SONDE_FLOW_HANDSHAKE) != 0)
    described.handshake_time = syn_ack + std::chrono::microseconds(flow.handshake_us[1]);
  return described;
}

}  // namespace sonde::flows
