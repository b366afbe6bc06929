// SPDX-License-Identifier: Apache-2.0
#include "aggregate/collection.hpp"

#include <algorithm>

#include "aggregate/facts.hpp"

namespace sonde::aggregate {
namespace {

FlowOwners::GroupOf group_function(FlowGrouping by, GroupNames& names) {
  if (by == FlowGrouping::process) return [&names](const Owner& owner) { return names.process(owner); };
  if (by == FlowGrouping::container) return [&names](const Owner& owner) { return names.container(owner); };
  return {};
}

}  // namespace

Collection::Collection(pipeline::FlowSource& source, CollectionOptions options)
    : source_(source),
      options_(std::move(options)),
      top_(options_.top),
      filters_(!options_.owners.empty()),
      rows_(limit(), options_.order, options_.whole) {
  auto group_of = options_.tables ? group_function(options_.by, names_) : FlowOwners::GroupOf{};
  if (filters_ || group_of) owners_.emplace(options_.owners, std::move(group_of));
  if (options_.record) recorder_.emplace(options_.active_timeout, options_.record);
}

void Collection::set_top(std::uint32_t rows) { top_ = rows; }

void Collection::count(const pipeline::FlowSample& sample) {
  const auto delta = opener_first(sample);
  for (std::size_t end = 0; end < 2; ++end) interval_.count[end] += delta[end];
  total_ += sum(delta);
  if (sample.is_new) ++flows_;
  first_ns_ = std::min<std::uint64_t>(first_ns_, sample.flow->first_ns);
  last_ns_ = std::max<std::uint64_t>(last_ns_, sample.flow->last_ns);
  interval_.new_flows += sample.is_new ? 1 : 0;
  interval_.ended_flows += sample.end != FlowEnd::none ? 1 : 0;
  interval_.flows += !options_.whole || sample.end != FlowEnd::none ? 1 : 0;
}

// Counted with the flow's id, only as long as it lives and only if there are any.
std::array<std::uint64_t, 2> Collection::new_retransmissions(const pipeline::FlowSample& sample) {
  const auto& flow = *sample.flow;
  if (retransmissions(flow) == 0) return {};
  auto& before = retransmissions_[sample.id];
  const auto opener = opener_side(flow);
  const std::array<std::uint64_t, 2> grown = {flow.retransmissions[opener] - before[opener],
                                              flow.retransmissions[1 - opener] - before[1 - opener]};
  before = {flow.retransmissions[0], flow.retransmissions[1]};
  if (sample.end != FlowEnd::none) retransmissions_.erase(sample.id);
  return grown;
}

void Collection::add_to_groups(const pipeline::FlowSample& sample, const FlowEnds& ends) {
  const std::uint64_t flows = !options_.whole || sample.end != FlowEnd::none ? 1 : 0;
  const auto* countries = options_.countries ? &*options_.countries : nullptr;
  const auto shares = shares_of(options_.by, sample, new_retransmissions(sample), ends, countries, flows);
  const auto rtt = round_trip_time(*sample.flow);
  for (const auto& share : shares.view()) groups_.add(share, rtt);
}

void Collection::visit(const pipeline::FlowSample& seen) {
  auto sample = seen;
  FlowEnds ends;
  if (owners_) {
    const auto looked = owners_->look(sample, source_);
    if (!looked) return;
    ends = *looked;
  }
  count(sample);
  if (recorder_) recorder_->visit(sample, source_);
  if (!options_.tables) return;
  if (options_.by == FlowGrouping::flow)
    rows_.add(sample, source_);
  else
    add_to_groups(sample, ends);
}

// Of all flows, what is not in the rows.
void Collection::finish_flow_rows(FlowTable& table) const {
  auto& others = table.others;
  others.interval = interval_.count;
  PacketCount rest = total_;
  for (const auto& row : table.rows) {
    for (std::size_t end = 0; end < 2; ++end) others.interval[end] = others.interval[end] - row.interval[end];
    rest = rest - sum(row.total);
  }
  others.total = {rest, {}};
  others.flows = table.more;
}

FlowTable Collection::take_table(std::chrono::nanoseconds interval) {
  FlowTable table;
  table.wall_ns = source_.now_wall_ns();
  table.interval = interval;
  table.by = options_.by;
  table.order = options_.order;
  if (options_.by == FlowGrouping::flow) {
    rows_.take(table);
    rows_.set_limit(limit());
    finish_flow_rows(table);
  } else {
    groups_.take(
        limit(), options_.order, [this](const GroupKey& key) { return names_.name(key); }, table);
    names_.forget_others(groups_);
  }
  table.flows = interval_.flows;
  table.new_flows = interval_.new_flows;
  table.ended_flows = interval_.ended_flows;
  table.interval_total = sum(interval_.count);
  table.total = total_;
  table.loss.stages = loss();
  interval_ = {};
  return table;
}

std::vector<LossStage> Collection::loss() const {
  auto stages = source_.loss();
  if (!filters_) return stages;
  const auto left_out = owners_->left_out();
  stages.push_back({"filter", total_.packets + left_out, total_.packets, left_out, 0, "by owner"});
  return stages;
}

}  // namespace sonde::aggregate
