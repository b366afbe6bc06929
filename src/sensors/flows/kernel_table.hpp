// SPDX-License-Identifier: Apache-2.0
// What the collections have seen of the kernel's table: deltas, ends, names.
#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <unordered_map>
#include <vector>

#include "flows/flow_name.hpp"
#include "pipeline/flows.hpp"
#include "sensors/flows/flow_slots.hpp"
#include "sonde/flow.hpp"

namespace sonde::flows {

/// A flow is removed in three steps, so that no packet is missed: its slot is marked dead (programs count nothing there
/// from then on), the programs that run are waited for, and it is read a last time.
class KernelTable {
 public:
  explicit KernelTable(FlowSlots slots)
      : slots_(std::make_unique<FlowSlots>(std::move(slots))), seen_(slots_->size()) {}

  struct Round {
    std::uint64_t now_ns = 0;  ///< CLOCK_MONOTONIC
    std::chrono::nanoseconds idle_timeout{};
    const std::set<std::uint32_t>* gone = nullptr;  ///< sonde_flow_key.group of interfaces that went
    bool last = false;                              ///< no program runs any more: every flow ends
  };
  using Show = std::function<void(std::uint32_t slot, const pipeline::FlowSample& sample)>;

  /// Shows flows that changed, and those that end; `before_end` is called when their last packets have been counted,
  /// and before any of them is shown. Flows that are new get ids from `next_id` on.
  Result<void> collect(const Round& round, std::uint64_t& next_id, const Show& show,
                       const std::function<void()>& before_end);

  void set_name(std::uint32_t slot, FlowName name) { names_.insert_or_assign(slot, std::move(name)); }
  /// Null: not seen.
  [[nodiscard]] const FlowName* name(std::uint32_t slot) const;

 private:
  struct Seen {
    std::uint64_t packets[2];
    std::uint64_t bytes[2];
    std::uint64_t id : 63;  ///< 0: the slot's flow was in no collection
    std::uint64_t unreachable : 1;
  };
  struct Ending {
    std::uint32_t slot;
    FlowEnd end;
  };

  void look(const Round& round, std::uint32_t slot, sonde_flow& shared, std::uint64_t& next_id, const Show& show);
  void show_changed(std::uint32_t slot, const sonde_flow& flow, FlowEnd end, std::uint64_t& next_id, const Show& show);
  Result<void> remove_ended(std::uint64_t& next_id, const Show& show);

  std::unique_ptr<FlowSlots> slots_;
  std::vector<Seen> seen_;  ///< by slot
  std::vector<Ending> ending_;
  std::unordered_map<std::uint32_t, FlowName> names_;
};

}  // namespace sonde::flows
