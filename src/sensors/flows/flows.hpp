// SPDX-License-Identifier: Apache-2.0
// The flows sensor: packets counted in flows by the kernel, which user space collects.
#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "filter/filter.hpp"
#include "pipeline/flows.hpp"
#include "sensors/packets/attachment.hpp"
#include "sensors/packets/packets.hpp"
#include "sonde/owner.hpp"
#include "sonde/packet.hpp"
#include "sonde/result.hpp"

namespace sonde::flows {

struct KernelFlowOptions {
  std::vector<std::string> interfaces;           ///< names; "any" among them: all, also those that appear later
  std::vector<std::vector<std::string>> groups;  ///< of these, those whose packets are flows together
  filter::CompiledFilter filter;
  packets::AttachOptions attach;
  packets::OwnersChoice owners = packets::OwnersChoice::automatic;  ///< on tc hooks only
  OwnerOptions owner;               ///< without filter: who is wanted is for those to say who describe flows
  std::uint32_t max_flows = 65536;  ///< room in the kernel; the packets of further flows come one by one
  std::chrono::nanoseconds idle_timeout{std::chrono::seconds(60)};
  std::size_t buffer_bytes = 4 * 1024 * 1024;  ///< of the ring
  bool arp = false;                            ///< ARP packets are shown too (pipeline::FlowPacket)
  bool dns = false;                            ///< likewise DNS over UDP, port 53
  bool totals = false;                         ///< keep KernelFlowSource::totals()
};

/// Counts are exact: each wire packet that a hook takes is filtered, no packet of a flow (no IP), in exactly one
/// sample's delta, or counted as lost. A flow that finds no room in the kernel's table is put together here from its
/// packets; it may then have a second entry with the same key in the table.
///
/// A TCP flow that was closed or reset ends two seconds after its last packet, any flow after the idle timeout.
class KernelFlowSource : public pipeline::FlowSource {
 public:
  /// By ifindex, since the start, without what the filter left out. Empty unless asked for.
  [[nodiscard]] virtual Result<std::map<std::uint32_t, PacketTotals>> totals() const = 0;
};

/// Loads and attaches. ErrorKind::usage: no such interface (the message lists those that exist).
[[nodiscard]] Result<std::unique_ptr<KernelFlowSource>> open(KernelFlowOptions options);

}  // namespace sonde::flows
