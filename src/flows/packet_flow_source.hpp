// SPDX-License-Identifier: Apache-2.0
// Flows put together from packets in user space: of a file, or of AF_PACKET where eBPF is not to be had.
#pragma once
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "pipeline/flows.hpp"
#include "pipeline/source.hpp"

namespace sonde::flows {

struct PacketFlowOptions {
  std::uint32_t max_flows = 65536;
  std::chrono::nanoseconds idle_timeout{std::chrono::seconds(60)};
  /// The packets are a file's: collect() reads on until this much packet time has passed. 0: they come as they happen.
  std::chrono::nanoseconds replay_step{0};
  bool arp = false;  ///< ARP packets are shown too (pipeline::FlowPacket)
  bool dns = false;  ///< likewise DNS over UDP, port 53
  /// Names of interfaces whose packets are one flow. Each other interface has flows of its own.
  std::vector<std::vector<std::string>> groups = {};
};

/// Counts by bpf/flow.h, as the kernel's table does, and ends flows at the same times: TCP two seconds after the last
/// packet of a closed connection, any flow after the idle timeout. Times are those of the packets.
///
/// The packet source should hand over whole packets: names, ARP and DNS are read from their bytes.
///
/// Memory: a table of max_flows. When it is full, the flow that has been quiet the longest ends early, as idle; a
/// notice tells how many did. Between two collections of a live source at most max_flows more may end; the packets of
/// further new flows are lost, and counted.
///
/// Replay: no clock is looked at, so that the same packets give the same collections, whatever the machine does. A
/// collection shows the packets of one step; where the file is silent, collections are empty, for at most five minutes,
/// then the time jumps to the next packet. collect() waits at most 100 ms for a pipe, and shows nothing if its step is
/// not over by then. now_wall_ns() is the end of the step, and of the last one the time of the last packet. A damaged
/// file gives what stands before the damage; the last collect() returns the error.
///
/// Ledger: the stages of the packet source, then "flows" (filtered: no IP, so that no flow could hold it).
[[nodiscard]] std::unique_ptr<pipeline::FlowSource> make_packet_flows(std::unique_ptr<pipeline::Source> packets,
                                                                      PacketFlowOptions options);

}  // namespace sonde::flows
