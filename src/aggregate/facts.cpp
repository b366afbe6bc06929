// SPDX-License-Identifier: Apache-2.0
#include "aggregate/facts.hpp"

#include <algorithm>

namespace sonde::aggregate {

std::array<PacketCount, 2> opener_first(const pipeline::FlowSample& sample) {
  const auto opener = opener_side(*sample.flow);
  const auto& from = sample.delta[opener];
  const auto& back = sample.delta[1 - opener];
  return {PacketCount{from.packets, from.bytes}, PacketCount{back.packets, back.bytes}};
}

std::array<PacketCount, 2> opener_first(const sonde_flow& flow) {
  const auto opener = opener_side(flow);
  return {PacketCount{flow.packets[opener], flow.bytes[opener]},
          PacketCount{flow.packets[1 - opener], flow.bytes[1 - opener]}};
}

std::optional<std::chrono::microseconds> round_trip_time(const sonde_flow& flow) {
  constexpr unsigned both = SONDE_FLOW_SYN_ACK | SONDE_FLOW_HANDSHAKE;
  if ((flow.flags & both) != both) return {};
  return std::chrono::microseconds(std::uint64_t{flow.handshake_us[0]} + flow.handshake_us[1]);
}

std::optional<std::size_t> local_end(const sonde_flow& flow) {
  const bool in[2] = {(flow.flags & SONDE_FLOW_RECEIVED_0) != 0, (flow.flags & SONDE_FLOW_RECEIVED_1) != 0};
  const bool out[2] = {(flow.flags & SONDE_FLOW_SENT_0) != 0, (flow.flags & SONDE_FLOW_SENT_1) != 0};
  for (const std::size_t side : {0U, 1U}) {
    const auto other = 1 - side;
    const bool only_sends = out[side] && !in[side];
    const bool only_receives = in[other] && !out[other];
    const bool silent = !in[side] && !out[side];
    const bool unanswered = !in[other] && !out[other];
    if ((only_sends && (only_receives || unanswered)) || (silent && only_receives))
      return side == opener_side(flow) ? 0 : 1;
  }
  return {};
}

Endpoint endpoint(const sonde_flow& flow, std::size_t end) {
  const auto side = end == 0 ? opener_side(flow) : 1 - opener_side(flow);
  Endpoint result;
  std::copy_n(static_cast<const std::uint8_t*>(flow.key.address[side]), result.address.size(), result.address.begin());
  result.port = flow.key.port[side];
  return result;
}

}  // namespace sonde::aggregate
