// SPDX-License-Identifier: Apache-2.0
#include "sensors/flows/flow_owners.hpp"

namespace sonde::flows {
namespace {

// A program writes a record in a fraction of a microsecond; so many looks in a row never met one.
constexpr int most_looks = 100;

bool is_whole(const sonde_flow_owners& owners) {
  return (owners.side[0].version & 1) == 0 && (owners.side[1].version & 1) == 0;
}

bool same_versions(const sonde_flow_owners& a, const sonde_flow_owners& b) {
  return a.side[0].version == b.side[0].version && a.side[1].version == b.side[1].version;
}

}  // namespace

void FlowOwners::refresh() {
  if (tracking_) tracking_->refresh();
}

// Twice the same version: nobody wrote between, so the copy is whole.
std::optional<sonde_flow_owners> FlowOwners::read(std::uint32_t slot) const {
  const auto map = object_->map_fd("sonde_flow_owners");
  if (!map) return std::nullopt;
  sonde_flow_owners before{};
  sonde_flow_owners after{};
  for (int i = 0; i < most_looks; ++i) {
    const auto first = kernel::map_lookup(*map, &slot, &before);
    const auto second = kernel::map_lookup(*map, &slot, &after);
    if (!first || !*first || !second || !*second) return std::nullopt;
    if (is_whole(before) && same_versions(before, after)) return before;
  }
  return std::nullopt;
}

void FlowOwners::describe(std::optional<std::uint32_t> slot, const sonde_flow& flow, Flow& described) {
  if (!tracking_ || !slot) return;
  const auto owners = read(*slot);
  if (!owners) return;
  const std::size_t opener = (flow.flags & SONDE_FLOW_OPENER_1) != 0 ? 1 : 0;
  described.sides[0].owner = tracking_->resolve(owners->side[opener].owner);
  described.sides[1].owner = tracking_->resolve(owners->side[1 - opener].owner);
}

std::vector<std::string> FlowOwners::notices() const {
  return tracking_ ? tracking_->notices() : std::vector<std::string>{};
}

}  // namespace sonde::flows
