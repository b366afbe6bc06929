// SPDX-License-Identifier: Apache-2.0
#include "aggregate/group_table.hpp"

#include "aggregate/facts.hpp"
#include "aggregate/ranking.hpp"

namespace sonde::aggregate {

void GroupTable::add(const GroupShare& share, std::optional<std::chrono::microseconds> rtt) {
  auto found = groups_.find(share.key);
  if (found == groups_.end() && groups_.size() < most_) found = groups_.try_emplace(share.key).first;
  Group& group = found == groups_.end() ? overflow_ : found->second;
  for (std::size_t end = 0; end < 2; ++end) {
    group.interval[end] += share.count[end];
    group.total[end] += share.count[end];
  }
  group.flows += share.flows;
  group.retransmissions += share.retransmissions;
  if (!rtt || share.flows == 0) return;
  group.rtt_us += static_cast<std::uint64_t>(rtt->count());
  ++group.rtt_count;
}

std::uint64_t GroupTable::rank(const Group& group, FlowOrder order) {
  switch (order) {
    case FlowOrder::bytes: return sum(group.total).bytes;
    case FlowOrder::packets: return sum(group.total).packets;
    case FlowOrder::rate: return sum(group.interval).bytes;
    case FlowOrder::rtt: return group.rtt_count == 0 ? 0 : group.rtt_us / group.rtt_count + 1;
    case FlowOrder::retransmissions: return group.retransmissions;
  }
  return 0;
}

void GroupTable::add_group(Group& sum, const Group& group) {
  for (std::size_t end = 0; end < 2; ++end) {
    sum.interval[end] += group.interval[end];
    sum.total[end] += group.total[end];
  }
  sum.flows += group.flows;
  sum.retransmissions += group.retransmissions;
  sum.rtt_us += group.rtt_us;
  sum.rtt_count += group.rtt_count;
}

FlowRow GroupTable::row_of(const Group& group) {
  FlowRow row;
  row.flows = group.flows;
  row.interval = group.interval;
  row.total = group.total;
  row.retransmissions = group.retransmissions;
  if (group.rtt_count > 0) row.rtt = std::chrono::microseconds(group.rtt_us / group.rtt_count);
  return row;
}

bool GroupTable::is_active(const Group& group) { return group.flows > 0 || sum(group.interval).packets > 0; }

void GroupTable::take(std::size_t limit, FlowOrder order, const std::function<std::string(const GroupKey&)>& name,
                      FlowTable& table) {
  Ranking<const std::pair<const GroupKey, Group>*> ranking(limit);
  Group others = overflow_;
  std::uint64_t active = is_active(overflow_) ? 1 : 0;
  for (const auto& entry : groups_) {
    add_group(others, entry.second);
    if (!is_active(entry.second)) continue;
    ++active;
    // Of equal ones the lower key comes first: addresses and ports in their order.
    const auto id = entry.first.value[0] ^ (entry.first.value[1] << 1);
    const auto key = rank(entry.second, order);
    if (ranking.enters(key, id)) ranking.add(key, id, &entry);
  }
  for (const auto* entry : ranking.take()) {
    auto row = row_of(entry->second);
    row.name = key_name(entry->first);
    if (row.name.empty()) row.name = name(entry->first);
    for (std::size_t end = 0; end < 2; ++end) {
      others.interval[end] = others.interval[end] - row.interval[end];
      others.total[end] = others.total[end] - row.total[end];
    }
    others.flows -= row.flows;
    others.retransmissions -= row.retransmissions;
    table.rows.push_back(std::move(row));
  }
  table.more = active - table.rows.size();
  table.others = row_of(others);
  table.others.rtt.reset();
  begin_interval();
}

void GroupTable::begin_interval() {
  const bool full = groups_.size() >= most_;
  for (auto place = groups_.begin(); place != groups_.end();) {
    auto& group = place->second;
    if (full && !is_active(group)) {
      add_group(overflow_, group);
      place = groups_.erase(place);
      continue;
    }
    group.interval = {};
    group.flows = group.rtt_us = group.rtt_count = 0;
    ++place;
  }
  overflow_.interval = {};
  overflow_.flows = overflow_.rtt_us = overflow_.rtt_count = 0;
}

}  // namespace sonde::aggregate
