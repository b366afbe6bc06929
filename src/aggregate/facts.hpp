// SPDX-License-Identifier: Apache-2.0
// What a flow of the table says about itself, without a look at anything else.
#pragma once
#include <sonde/abi/flow.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "pipeline/flows.hpp"
#include "sonde/endpoint.hpp"
#include "sonde/packet.hpp"

namespace sonde::aggregate {

/// Side of the opener in the arrays of sonde_flow: 0 or 1.
[[nodiscard]] inline std::size_t opener_side(const sonde_flow& flow) {
  return (flow.flags & SONDE_FLOW_OPENER_1) != 0 ? 1 : 0;
}

/// [0] of the opener, [1] of the responder.
[[nodiscard]] std::array<PacketCount, 2> opener_first(const pipeline::FlowSample& sample);  ///< delta
[[nodiscard]] std::array<PacketCount, 2> opener_first(const sonde_flow& flow);              ///< since the flow began

/// SYN to ACK: the way between the two and back, wherever we stand between them.
[[nodiscard]] std::optional<std::chrono::microseconds> round_trip_time(const sonde_flow& flow);

[[nodiscard]] inline std::uint64_t retransmissions(const sonde_flow& flow) {
  return std::uint64_t{flow.retransmissions[0]} + flow.retransmissions[1];
}

/// Which end is this host: 0 the opener, 1 the responder. Nothing where the interfaces do not tell: packets of both
/// ends came in (forwarded, loopback, a file without directions).
[[nodiscard]] std::optional<std::size_t> local_end(const sonde_flow& flow);

/// 0: the opener, 1: the responder.
[[nodiscard]] Endpoint endpoint(const sonde_flow& flow, std::size_t end);

inline PacketCount& operator+=(PacketCount& sum, const PacketCount& more) {
  sum.packets += more.packets;
  sum.bytes += more.bytes;
  return sum;
}
inline PacketCount operator-(const PacketCount& all, const PacketCount& part) {
  return {all.packets - part.packets, all.bytes - part.bytes};
}
inline PacketCount sum(const std::array<PacketCount, 2>& both) {
  return {both[0].packets + both[1].packets, both[0].bytes + both[1].bytes};
}

}  // namespace sonde::aggregate
