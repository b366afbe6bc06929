// SPDX-License-Identifier: Apache-2.0
// Flows that found no room in the kernel's table, put together from their packets.
#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <vector>

#include "flows/flow_table.hpp"
#include "pipeline/flows.hpp"

struct sonde_flow_packet;  // bpf/flow.h

namespace sonde::flows {

/// At most `capacity` at a time. When they are more, the one that was quiet the longest ends early; until the next
/// collection as many may end so.
class SpilledFlows {
 public:
  explicit SpilledFlows(std::uint32_t capacity) : capacity_(capacity), table_(capacity) {}

  /// Counts a packet of this key; a flow that begins gets the id `next_id`, which is then counted up. Null: no room.
  FlowEntry* count(const sonde_flow_key& key, const sonde_flow_packet& packet, std::uint64_t time_ns,
                   std::uint64_t& next_id);
  /// An ICMP error quotes a packet of this flow.
  void mark_unreachable(const sonde_flow_key& key);

  using Show = std::function<void(FlowEntry& entry, FlowEnd end)>;
  /// Those that changed and those that end by now.
  void collect(std::uint64_t now_ns, std::chrono::nanoseconds idle_timeout, const Show& show);
  /// All of them end.
  void finish(const Show& show);

  [[nodiscard]] std::uint64_t ended_early() const { return ended_early_; }

 private:
  struct Ended {
    FlowEntry entry;
    FlowEnd end;
  };
  bool end_early(FlowTable::Index index, FlowEnd end);
  bool make_room();
  void show_ended(const Show& show);

  std::uint32_t capacity_;
  FlowTable table_;
  std::vector<FlowTable::Index> changed_;
  std::vector<Ended> ended_;  ///< since the last collection
  std::uint64_t ended_early_ = 0;
};

}  // namespace sonde::flows
