// SPDX-License-Identifier: Apache-2.0
// What the client filter is to do with a frame, said plainly: byte by byte, address by address.
#pragma once
#include <optional>
#include <vector>

#include "harness/packet_builder.hpp"
#include "sonde/endpoint.hpp"
#include "sonde/guard.hpp"

namespace sonde::test {

enum class Judged { others, passed, dropped };

struct Segment {
  Endpoint source;
  Endpoint destination;
};
/// Source and destination of a TCP segment; nothing: fragments, other protocols, what ends too early.
std::optional<Segment> read_segment(const Bytes& frame);

Judged judge(const Bytes& frame, const std::vector<Endpoint>& listeners, const std::vector<GuardNetwork>& clients);

}  // namespace sonde::test
