// SPDX-License-Identifier: Apache-2.0
#include "sensors/flows/kernel_table.hpp"

#include "flows/ends.hpp"
#include "sensors/packets/attachment.hpp"

namespace sonde::flows {
namespace {

// Word by word, because programs change it meanwhile.
sonde_flow read(const sonde_flow& shared) {
  constexpr std::size_t words = sizeof(sonde_flow) / sizeof(std::uint64_t);
  sonde_flow flow;
  const auto* from = reinterpret_cast<const std::uint64_t*>(&shared);
  auto* to = reinterpret_cast<std::uint64_t*>(&flow);
  for (std::size_t i = 0; i < words; ++i) to[i] = __atomic_load_n(from + i, __ATOMIC_RELAXED);
  return flow;
}

FlowEnd end_of(const sonde_flow& flow, const KernelTable::Round& round) {
  const auto quiet = [&](std::chrono::nanoseconds patience) {
    return flow.last_ns + static_cast<std::uint64_t>(patience.count()) <= round.now_ns;
  };
  const bool cut_off = round.last || (round.gone != nullptr && round.gone->contains(flow.key.group));
  if (is_over(flow)) return cut_off || quiet(closed_linger) ? how_it_ended(flow) : FlowEnd::none;
  if (cut_off) return FlowEnd::shutdown;
  return quiet(round.idle_timeout) ? FlowEnd::idle : FlowEnd::none;
}

}  // namespace

void KernelTable::show_changed(std::uint32_t slot, const sonde_flow& flow, FlowEnd end, std::uint64_t& next_id,
                               const Show& show) {
  auto& seen = seen_[slot];
  const bool unreachable = (flow.flags & SONDE_FLOW_UNREACHABLE) != 0;
  const bool is_new = seen.id == 0;
  if (is_new && flow.packets[0] + flow.packets[1] == 0 && end == FlowEnd::none) return;  // its first is being counted
  if (end == FlowEnd::none && !is_new && flow.packets[0] == seen.packets[0] && flow.packets[1] == seen.packets[1] &&
      flow.bytes[0] == seen.bytes[0] && flow.bytes[1] == seen.bytes[1] && unreachable == (seen.unreachable != 0))
    return;
  if (is_new) seen.id = next_id++;
  pipeline::FlowSample sample{.flow = &flow, .delta = {}, .id = seen.id, .is_new = is_new, .end = end};
  for (std::size_t side = 0; side < 2; ++side) {
    sample.delta[side] = {flow.packets[side] - seen.packets[side], flow.bytes[side] - seen.bytes[side]};
    seen.packets[side] = flow.packets[side];
    seen.bytes[side] = flow.bytes[side];
  }
  seen.unreachable = unreachable ? 1 : 0;
  show(slot, sample);
}

void KernelTable::look(const Round& round, std::uint32_t slot, sonde_flow& shared, std::uint64_t& next_id,
                       const Show& show) {
  const auto state = __atomic_load_n(&shared.state, __ATOMIC_ACQUIRE);
  if (state != SONDE_FLOW_LIVE && state != SONDE_FLOW_DEAD) return;
  const auto flow = read(shared);
  if (state == SONDE_FLOW_DEAD) {  // a program has marked it: its tuple is used again
    ending_.push_back({slot, how_it_ended(flow)});
    return;
  }
  const auto end = end_of(flow, round);
  if (end != FlowEnd::none && FlowSlots::mark_dead(shared))
    ending_.push_back({slot, end});
  else
    show_changed(slot, flow, FlowEnd::none, next_id, show);
}

Result<void> KernelTable::remove_ended(std::uint64_t& next_id, const Show& show) {
  for (const auto& [slot, end] : ending_) {
    auto shared = slots_->at(slot);
    if (!shared) return std::unexpected(shared.error());
    const auto flow = read(**shared);
    show_changed(slot, flow, end, next_id, show);
    seen_[slot] = {};
    names_.erase(slot);
    slots_->empty(slot, **shared);
  }
  ending_.clear();
  return {};
}

Result<void> KernelTable::collect(const Round& round, std::uint64_t& next_id, const Show& show,
                                  const std::function<void()>& before_end) {
  auto done =
      slots_->for_each_taken([&](std::uint32_t slot, sonde_flow& flow) { look(round, slot, flow, next_id, show); });
  if (!done) return done;
  if (ending_.empty()) return {};
  packets::wait_for_running_programs();
  before_end();
  return remove_ended(next_id, show);
}

const FlowName* KernelTable::name(std::uint32_t slot) const {
  const auto found = names_.find(slot);
  return found == names_.end() ? nullptr : &found->second;
}

}  // namespace sonde::flows
