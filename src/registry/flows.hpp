// SPDX-License-Identifier: Apache-2.0
// The table of flow sources.
#pragma once
#include <memory>

#include "pipeline/flows.hpp"
#include "sonde/flows.hpp"
#include "sonde/result.hpp"

namespace sonde::registry {

/// Packets that are wanted beside the flows, for detectors (pipeline::FlowPacket).
struct FlowPackets {
  bool arp = false;
  bool dns = false;
};

/// Checks every word, opens and attaches. ErrorKind::usage names the word.
[[nodiscard]] Result<std::unique_ptr<pipeline::FlowSource>> open_flows(const FlowOptions& options,
                                                                       const FlowPackets& packets = {});

}  // namespace sonde::registry
