// SPDX-License-Identifier: Apache-2.0
#include "aggregate/flow_rows.hpp"

#include "aggregate/facts.hpp"

namespace sonde::aggregate {

std::uint64_t FlowRows::rank(const pipeline::FlowSample& sample) const {
  const auto& flow = *sample.flow;
  switch (order_) {
    case FlowOrder::bytes: return flow.bytes[0] + flow.bytes[1];
    case FlowOrder::packets: return flow.packets[0] + flow.packets[1];
    case FlowOrder::rate: return whole_ ? flow.bytes[0] + flow.bytes[1] : sample.delta[0].bytes + sample.delta[1].bytes;
    case FlowOrder::rtt: {
      const auto rtt = round_trip_time(flow);
      return rtt ? static_cast<std::uint64_t>(rtt->count()) + 1 : 0;  // one that is not known comes last
    }
    case FlowOrder::retransmissions: return retransmissions(flow);
  }
  return 0;
}

FlowRow FlowRows::row_of(const pipeline::FlowSample& sample, pipeline::FlowSource& source) const {
  const auto& flow = *sample.flow;
  FlowRow row;
  row.flow = source.describe(sample);
  row.total = opener_first(flow);
  row.interval = whole_ ? row.total : opener_first(sample);
  row.retransmissions = retransmissions(flow);
  row.rtt = round_trip_time(flow);
  row.lasting = std::chrono::nanoseconds(flow.last_ns - flow.first_ns);
  return row;
}

void FlowRows::add(const pipeline::FlowSample& sample, pipeline::FlowSource& source) {
  if (whole_ && sample.end == FlowEnd::none) return;
  ++offered_;
  const auto key = rank(sample);
  if (ranking_.enters(key, sample.id)) ranking_.add(key, sample.id, row_of(sample, source));
}

void FlowRows::take(FlowTable& table) {
  table.rows = ranking_.take();
  table.more = offered_ - table.rows.size();
  table.others.interval = {};
  offered_ = 0;
}

}  // namespace sonde::aggregate
