// SPDX-License-Identifier: Apache-2.0
// Who owns the ends of flows, and whether they are wanted: asked seldom, kept as long as the flow lives.
#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <unordered_map>

#include "aggregate/group_key.hpp"
#include "enrich/process/owner_filter.hpp"
#include "pipeline/flows.hpp"

namespace sonde::aggregate {

/// What is known of a flow's ends: [0] opener, [1] responder. A group without known(): the owner is not known.
struct FlowEnds {
  std::array<GroupKey, 2> groups{};
  bool wanted = true;
};

/// An owner may become known after the first packet, and a socket may go to another process: a flow is described at the
/// 1st, 2nd, 4th, 8th ... sample and at its last one. Memory: about 100 bytes a living flow.
class FlowOwners {
 public:
  /// Group of an owner, for --by process or container; may be empty.
  using GroupOf = std::function<GroupKey(const Owner&)>;

  FlowOwners(enrich::CompiledOwnerFilter filter, GroupOf group_of)
      : filter_(std::move(filter)), group_of_(std::move(group_of)) {}

  /// Once for every sample, which may change it: packets that were left out while the owner was not known are in the
  /// delta of the sample that makes the flow a wanted one. Once wanted, a flow stays so. Nothing: it is not wanted.
  [[nodiscard]] std::optional<FlowEnds> look(pipeline::FlowSample& sample, pipeline::FlowSource& source);

  /// Packets of samples that were not wanted.
  [[nodiscard]] std::uint64_t left_out() const { return left_out_; }

 private:
  struct Known {
    FlowEnds ends;
    std::uint32_t samples = 0;
    bool shown = false;
    std::array<pipeline::FlowCount, 2> left_out{};  ///< by side
  };
  void describe(Known& known, const pipeline::FlowSample& sample, pipeline::FlowSource& source);
  void leave_out(Known& known, const pipeline::FlowSample& sample);
  void take_back(Known& known, pipeline::FlowSample& sample);

  enrich::CompiledOwnerFilter filter_;
  GroupOf group_of_;
  std::unordered_map<std::uint64_t, Known> flows_;  ///< by the sample's id
  std::uint64_t left_out_ = 0;
};

}  // namespace sonde::aggregate
