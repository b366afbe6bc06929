// SPDX-License-Identifier: Apache-2.0
#include "aggregate/flow_owners.hpp"

#include <bit>
#include <utility>

namespace sonde::aggregate {
namespace {

bool matches(const enrich::CompiledOwnerFilter& filter, const SocketOwner& owner) {
  return filter.matches(owner.owner) || (owner.opener && filter.matches(*owner.opener));
}

}  // namespace

void FlowOwners::describe(Known& known, const pipeline::FlowSample& sample, pipeline::FlowSource& source) {
  const auto flow = source.describe(sample);
  bool wanted = filter_.empty();
  for (std::size_t end = 0; end < 2; ++end) {
    const auto& owner = flow.sides[end].owner;
    if (!wanted) wanted = matches(filter_, owner);
    // Who exits is forgotten sooner or later: what was known stays.
    if (group_of_ && (owner.owner.known() || !known.ends.groups[end].known()))
      known.ends.groups[end] = group_of_(owner.owner);
  }
  known.ends.wanted = known.ends.wanted || wanted;
}

void FlowOwners::leave_out(Known& known, const pipeline::FlowSample& sample) {
  for (std::size_t side = 0; side < 2; ++side) {
    known.left_out[side].packets += sample.delta[side].packets;
    known.left_out[side].bytes += sample.delta[side].bytes;
    left_out_ += sample.delta[side].packets;
  }
}

void FlowOwners::take_back(Known& known, pipeline::FlowSample& sample) {
  sample.is_new = !std::exchange(known.shown, true);
  for (std::size_t side = 0; side < 2; ++side) {
    sample.delta[side].packets += known.left_out[side].packets;
    sample.delta[side].bytes += known.left_out[side].bytes;
    left_out_ -= known.left_out[side].packets;
    known.left_out[side] = {};
  }
}

std::optional<FlowEnds> FlowOwners::look(pipeline::FlowSample& sample, pipeline::FlowSource& source) {
  const auto [place, added] = flows_.try_emplace(sample.id);
  auto& known = place->second;
  if (added) known.ends.wanted = false;
  const bool ended = sample.end != FlowEnd::none;
  if (std::has_single_bit(++known.samples) || ended) describe(known, sample, source);
  if (known.ends.wanted)
    take_back(known, sample);
  else
    leave_out(known, sample);
  const auto ends = known.ends;
  if (ended) flows_.erase(place);
  return ends.wanted ? std::optional(ends) : std::nullopt;
}

}  // namespace sonde::aggregate
