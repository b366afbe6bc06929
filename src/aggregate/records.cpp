// SPDX-License-Identifier: Apache-2.0
#include "aggregate/records.hpp"

#include "aggregate/facts.hpp"

namespace sonde::aggregate {

void FlowRecorder::give(const pipeline::FlowSample& sample, const Recorded& before, std::uint64_t from_ns,
                        pipeline::FlowSource& source) const {
  const auto& flow = *sample.flow;
  FlowRecord record;
  record.flow = source.describe(sample);
  record.delta_from_wall_ns = source.to_wall_ns(from_ns);
  record.ifindex = (flow.key.group & SONDE_FLOW_GROUP) != 0 ? 0 : flow.key.group;
  constexpr unsigned received[2] = {SONDE_FLOW_RECEIVED_0, SONDE_FLOW_RECEIVED_1};
  constexpr unsigned sent[2] = {SONDE_FLOW_SENT_0, SONDE_FLOW_SENT_1};
  for (std::size_t end = 0; end < 2; ++end) {
    const auto side = end == 0 ? opener_side(flow) : 1 - opener_side(flow);
    record.delta[end] = PacketCount{flow.packets[side], flow.bytes[side]} - before.counts[side];
    record.received[end] = (flow.flags & received[side]) != 0;
    record.sent[end] = (flow.flags & sent[side]) != 0;
  }
  give_(record);
}

void FlowRecorder::visit(const pipeline::FlowSample& sample, pipeline::FlowSource& source) {
  const auto& flow = *sample.flow;
  const bool ended = sample.end != FlowEnd::none;
  if (!ended && flow.last_ns - flow.first_ns < active_ns_) return;
  const auto found = recorded_.find(sample.id);
  const auto before = found == recorded_.end() ? Recorded{} : found->second;
  const auto from_ns = found == recorded_.end() ? flow.first_ns : before.last_ns;
  if (!ended && flow.last_ns - from_ns < active_ns_) return;
  give(sample, before, from_ns, source);
  if (!ended)
    recorded_[sample.id] = {{PacketCount{flow.packets[0], flow.bytes[0]}, {flow.packets[1], flow.bytes[1]}},
                            flow.last_ns};
  else if (found != recorded_.end())
    recorded_.erase(found);
}

}  // namespace sonde::aggregate
