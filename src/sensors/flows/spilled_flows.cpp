// SPDX-License-Identifier: Apache-2.0
#include "sensors/flows/spilled_flows.hpp"

#include "flow.h"
#include "flows/ends.hpp"

namespace sonde::flows {

bool SpilledFlows::end_early(FlowTable::Index index, FlowEnd end) {
  if (ended_.size() >= capacity_) return false;
  ended_.push_back({std::move(table_[index]), end});
  table_[index].changed = false;
  table_.remove(index);
  return true;
}

// A connection that is closing is to end anyway.
bool SpilledFlows::make_room() {
  const auto closing = table_.oldest(true);
  if (closing != 0) return end_early(closing, how_it_ended(table_[closing].flow));
  if (!end_early(table_.oldest(false), FlowEnd::idle)) return false;
  ++ended_early_;
  return true;
}

FlowEntry* SpilledFlows::count(const sonde_flow_key& key, const sonde_flow_packet& packet, std::uint64_t time_ns,
                               std::uint64_t& next_id) {
  auto index = table_.find(key);
  if (index != 0 && sonde_flow_is_reused(&table_[index].flow, &packet) != 0) {
    if (!end_early(index, how_it_ended(table_[index].flow))) return nullptr;
    index = 0;
  }
  if (index == 0) {
    if (table_.full() && !make_room()) return nullptr;
    index = table_.add(key);
    table_[index].id = next_id++;
    sonde_flow_start(&table_[index].flow, &packet, time_ns);
  }
  auto& entry = table_[index];
  sonde_flow_update(&entry.flow, &packet, time_ns);
  if (!entry.changed) changed_.push_back(index);
  entry.changed = true;
  table_.set_closing(index, is_over(entry.flow));
  return &entry;
}

void SpilledFlows::mark_unreachable(const sonde_flow_key& key) {
  const auto index = table_.find(key);
  if (index == 0) return;
  auto& entry = table_[index];
  entry.flow.flags |= SONDE_FLOW_UNREACHABLE;
  if (!entry.changed) changed_.push_back(index);
  entry.changed = true;
}

void SpilledFlows::show_ended(const Show& show) {
  for (auto& flow : ended_) show(flow.entry, flow.end);
  ended_.clear();
}

void SpilledFlows::collect(std::uint64_t now_ns, std::chrono::nanoseconds idle_timeout, const Show& show) {
  show_ended(show);
  const auto end_due = [&](bool closing, std::chrono::nanoseconds patience) {
    for (auto index = table_.oldest(closing); index != 0; index = table_.oldest(closing)) {
      auto& entry = table_[index];
      if (entry.flow.last_ns + static_cast<std::uint64_t>(patience.count()) > now_ns) return;
      show(entry, closing ? how_it_ended(entry.flow) : FlowEnd::idle);
      entry.changed = false;
      table_.remove(index);
    }
  };
  end_due(true, closed_linger);
  end_due(false, idle_timeout);
  for (const auto index : changed_) {
    auto& entry = table_[index];
    if (entry.changed) show(entry, FlowEnd::none);
    entry.changed = false;
  }
  changed_.clear();
}

void SpilledFlows::finish(const Show& show) {
  show_ended(show);
  for (const bool closing : {true, false}) {
    for (auto index = table_.oldest(closing); index != 0; index = table_.oldest(closing)) {
      show(table_[index], closing ? how_it_ended(table_[index].flow) : FlowEnd::shutdown);
      table_.remove(index);
    }
  }
  changed_.clear();
}

}  // namespace sonde::flows
