// SPDX-License-Identifier: Apache-2.0
#include "flows/flow_table.hpp"

#include <random>

#include "flow.h"

namespace sonde::flows {
namespace {

// Not to be foreseen by who sends the packets: else somebody could choose addresses that all fall into one bucket.
std::uint64_t random_seed() {
  std::random_device random;
  return (std::uint64_t{random()} << 32) | random();
}

}  // namespace

pipeline::FlowSample take_sample(FlowEntry& entry, FlowEnd end) {
  pipeline::FlowSample sample{.flow = &entry.flow, .delta = {}, .id = entry.id, .is_new = !entry.shown, .end = end};
  for (std::size_t side = 0; side < 2; ++side) {
    auto& collected = entry.collected[side];
    const pipeline::FlowCount total{entry.flow.packets[side], entry.flow.bytes[side]};
    sample.delta[side] = {total.packets - collected.packets, total.bytes - collected.bytes};
    collected = total;
  }
  entry.shown = true;
  entry.changed = false;
  return sample;
}

FlowTable::FlowTable(std::uint32_t capacity)
    : capacity_(capacity), seed_(random_seed()), entries_(first), buckets_(1024) {
  for (const Index head : {going, closed}) entries_[head].newer = entries_[head].older = head;
}

std::size_t FlowTable::bucket_of(const sonde_flow_key& key) const {
  return sonde_flow_hash(&key, seed_) & (buckets_.size() - 1);
}

FlowTable::Index FlowTable::find(const sonde_flow_key& key) const {
  for (Index index = buckets_[bucket_of(key)]; index != 0; index = entries_[index].bucket_next)
    if (sonde_flow_same_key(&entries_[index].flow.key, &key) != 0) return index;
  return 0;
}

void FlowTable::grow() {
  std::vector<Index> larger(buckets_.size() * 2);
  buckets_.swap(larger);
  for (const Index chain : larger) {
    for (Index index = chain; index != 0;) {
      const Index next = entries_[index].bucket_next;
      auto& bucket = buckets_[bucket_of(entries_[index].flow.key)];
      entries_[index].bucket_next = bucket;
      bucket = index;
      index = next;
    }
  }
}

FlowTable::Index FlowTable::add(const sonde_flow_key& key) {
  if (size_ == buckets_.size()) grow();
  Index index = free_;
  if (index == 0) {
    index = static_cast<Index>(entries_.size());
    entries_.emplace_back();
  } else {
    free_ = entries_[index].bucket_next;
    entries_[index] = FlowEntry{};
  }
  auto& entry = entries_[index];
  entry.flow.key = key;
  auto& bucket = buckets_[bucket_of(key)];
  entry.bucket_next = bucket;
  bucket = index;
  append(going, index);
  ++size_;
  return index;
}

void FlowTable::remove(Index index) {
  Index* place = &buckets_[bucket_of(entries_[index].flow.key)];
  while (*place != index) place = &entries_[*place].bucket_next;
  *place = entries_[index].bucket_next;
  unlink(index);
  entries_[index].name.reset();
  entries_[index].bucket_next = free_;
  free_ = index;
  --size_;
}

void FlowTable::append(Index head, Index index) {
  const Index last = entries_[head].older;
  entries_[index].older = last;
  entries_[index].newer = head;
  entries_[last].newer = index;
  entries_[head].older = index;
}

void FlowTable::unlink(Index index) {
  const auto& entry = entries_[index];
  entries_[entry.older].newer = entry.newer;
  entries_[entry.newer].older = entry.older;
}

void FlowTable::touch(Index index) {
  unlink(index);
  append(list_of(entries_[index].closing), index);
}

void FlowTable::set_closing(Index index, bool closing) {
  entries_[index].closing = closing;
  touch(index);
}

FlowTable::Index FlowTable::oldest(bool closing) const {
  const Index index = entries_[list_of(closing)].newer;
  return index < first ? 0 : index;
}

FlowTable::Index FlowTable::newer(Index index) const {
  const Index next = entries_[index].newer;
  return next < first ? 0 : next;
}

}  // namespace sonde::flows
