// SPDX-License-Identifier: Apache-2.0
// The table of flow sources.
#pragma once
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "pipeline/flows.hpp"
#include "sonde/flows.hpp"
#include "sonde/result.hpp"

namespace sonde::registry {

/// Packets that are wanted beside the flows, for detectors (pipeline::FlowPacket).
struct FlowPackets {
  bool arp = false;
  bool dns = false;
};

/// Checks every word, opens and attaches. ErrorKind::usage names the word. The first notice tells which source it is
/// and why. A file is replayed in steps of `replay_step` of packet time, one a collection.
[[nodiscard]] Result<std::unique_ptr<pipeline::FlowSource>> open_flows(
    const FlowOptions& options, const FlowPackets& packets = {},
    std::chrono::nanoseconds replay_step = std::chrono::seconds(1));

/// "eth0+eth1" is a group. Without words: the interface of the default route, "any" if there is none.
struct FlowInterfaces {
  std::vector<std::string> names;
  std::vector<std::vector<std::string>> groups;
};
[[nodiscard]] Result<FlowInterfaces> flow_interfaces(const std::vector<std::string>& words);

}  // namespace sonde::registry
