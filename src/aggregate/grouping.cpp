// SPDX-License-Identifier: Apache-2.0
#include "aggregate/grouping.hpp"

#include "aggregate/facts.hpp"

namespace sonde::aggregate {
namespace {

constexpr std::size_t most_names = 4 * GroupTable::capacity;
constexpr std::size_t shown_id = 12;  // of a 64-digit container id, as `docker ps` shows it

std::string container_name(const Owner& owner) {
  if (!owner.process || !owner.process->container) return "host";
  const auto& container = *owner.process->container;
  return container.runtime + ":" + (container.id.size() == 64 ? container.id.substr(0, shown_id) : container.id);
}

struct Sample {
  const sonde_flow& flow;
  std::array<PacketCount, 2> delta;  ///< [0] of the opener
  std::array<std::uint64_t, 2> retransmissions;
  std::uint64_t flows;
};

// The whole flow in one group, as its end `end` sees it.
GroupShare whole(const Sample& sample, const GroupKey& key, std::size_t end) {
  return {key,
          {sample.delta[end], sample.delta[1 - end]},
          sample.retransmissions[0] + sample.retransmissions[1],
          sample.flows};
}

// A packet counts with the one that sent it, if that is known, else with the one that received it.
SampleShares by_owner(const Sample& sample, const FlowEnds& ends) {
  SampleShares shares;
  const bool known[2] = {ends.groups[0].known(), ends.groups[1].known()};
  if (known[0] && known[1]) {
    for (std::size_t end = 0; end < 2; ++end)
      shares.add({ends.groups[end], {sample.delta[end], {}}, sample.retransmissions[end], sample.flows});
    return shares;
  }
  const std::size_t end = known[0] ? 0 : known[1] ? 1 : local_end(sample.flow).value_or(0);
  shares.add(whole(sample, ends.groups[end], end));
  return shares;
}

SampleShares by_country(const Sample& sample, const enrich::CountryFile* countries) {
  SampleShares shares;
  const auto local = local_end(sample.flow);
  const std::size_t first = local ? 1 - *local : 1;
  for (const std::size_t end : {first, 1 - first}) {
    const auto code = countries->country(endpoint(sample.flow, end).address);
    if (!code.empty()) {
      shares.add(whole(sample, text_key(code), end));
      return shares;
    }
    if (local) break;  // this host's own country is not asked for
  }
  shares.add(whole(sample, text_key("not in the file"), first));
  return shares;
}

}  // namespace

GroupKey GroupNames::process(const Owner& owner) {
  const auto key = process_key(owner);
  if (!key.known()) return key;
  const bool named = owner.process && !owner.process->comm.empty();
  names_[key] = (named ? owner.process->comm : owner.comm) + "[" + std::to_string(owner.pid) + "]";
  return key;
}

GroupKey GroupNames::container(const Owner& owner) {
  const auto process = process_key(owner);
  if (!process.known()) return process;
  auto name = container_name(owner);
  const auto number = numbers_.try_emplace(name, numbers_.size()).first->second;
  const GroupKey key{GroupKey::Kind::process, {number, 0}};
  names_.try_emplace(key, std::move(name));
  return key;
}

std::string GroupNames::name(const GroupKey& key) const {
  const auto found = names_.find(key);
  return found == names_.end() ? std::string() : found->second;
}

void GroupNames::forget_others(const GroupTable& table) {
  if (names_.size() < most_names) return;
  std::erase_if(names_, [&](const auto& entry) { return !table.holds(entry.first); });
}

void SampleShares::add(const GroupShare& share) {
  if (size_ == 1 && shares_[0].key == share.key) {  // a process that talks to itself
    for (std::size_t end = 0; end < 2; ++end) shares_[0].count[end] += share.count[end];
    shares_[0].retransmissions += share.retransmissions;
    return;
  }
  shares_[size_++] = share;
}

SampleShares shares_of(FlowGrouping by, const pipeline::FlowSample& raw, std::array<std::uint64_t, 2> retransmissions,
                       const FlowEnds& ends, const enrich::CountryFile* countries, std::uint64_t flows) {
  const Sample sample{*raw.flow, opener_first(raw), retransmissions, flows};
  const auto& flow = sample.flow;
  SampleShares shares;
  switch (by) {
    case FlowGrouping::process:
    case FlowGrouping::container: return by_owner(sample, ends);
    case FlowGrouping::country: return by_country(sample, countries);
    case FlowGrouping::source: shares.add(whole(sample, address_key(endpoint(flow, 0).address), 0)); break;
    case FlowGrouping::destination: shares.add(whole(sample, address_key(endpoint(flow, 1).address), 1)); break;
    case FlowGrouping::destination_port:
      shares.add(whole(sample, port_key(flow.key.protocol, endpoint(flow, 1).port), 1));
      break;
    case FlowGrouping::protocol: shares.add(whole(sample, protocol_key(flow.key.protocol), 0)); break;
    case FlowGrouping::flow: break;
  }
  return shares;
}

}  // namespace sonde::aggregate
