// SPDX-License-Identifier: Apache-2.0
// What forward_packet is to do with a frame, said plainly: read byte by byte, built anew, checksums from scratch.
#pragma once
#include <map>
#include <string>
#include <tuple>

#include "actuators/proxy/wire/wire.abi.h"
#include "harness/packet_builder.hpp"

namespace sonde::test {

enum class Fate { stack, forwarded, dropped, reset };
const char* fate_name(Fate fate);

/// By source and destination, 16 bytes and 2 each.
using FlowBytes = Bytes;
FlowBytes flow_bytes(const sonde_wire_flow& flow);

struct ModelPlace {
  std::uint32_t connection = 0;
  unsigned side = 0;
};

struct WireModel {
  std::map<std::uint32_t, sonde_wire_connection> connections;
  std::map<FlowBytes, ModelPlace> flows;
  sonde_wire_statistics statistics{};

  struct Result {
    Fate fate = Fate::stack;
    Bytes packet;  ///< from the IP header on, if it is forwarded or reset
    std::string why;
  };
  /// The frame was for this host if its destination is `host`. `segments`: that it stands for; 0: it is one.
  Result take(const Bytes& frame, std::uint32_t segments = 0, std::uint32_t segment_size = 0);
};

/// Whether IP header and TCP checksum are right.
bool checksums_are_right(const Bytes& packet);

}  // namespace sonde::test
