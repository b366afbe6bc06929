// SPDX-License-Identifier: Apache-2.0
// Which group a sample belongs to.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>

#include "aggregate/flow_owners.hpp"
#include "aggregate/group_table.hpp"
#include "enrich/country/country.hpp"
#include "sonde/flow_stream.hpp"

namespace sonde::aggregate {

/// Names of groups whose key is a number: processes and containers.
class GroupNames {
 public:
  /// "nginx[4711]".
  GroupKey process(const Owner& owner);
  /// "docker:1f2e3d4c5b6a", "systemd:nginx.service"; "host": in none.
  GroupKey container(const Owner& owner);
  [[nodiscard]] std::string name(const GroupKey& key) const;
  /// Forgets names of groups that the table does not hold, when there are many.
  void forget_others(const GroupTable& table);

 private:
  std::unordered_map<GroupKey, std::string, GroupKeyHash> names_;
  std::unordered_map<std::string, std::uint64_t> numbers_;  ///< of containers
};

/// The shares of one sample: one group, or two where both ends are this host's.
class SampleShares {
 public:
  void add(const GroupShare& share);
  [[nodiscard]] std::span<const GroupShare> view() const { return {shares_.data(), size_}; }

 private:
  std::array<GroupShare, 2> shares_{};
  std::size_t size_ = 0;
};

/// `retransmissions`: since the sample before, [0] of the opener. `ends` for process and container, `countries` for
/// country; `flows` goes into each share. The counts of all shares add up to the sample's delta, whatever `by` is.
[[nodiscard]] SampleShares shares_of(FlowGrouping by, const pipeline::FlowSample& sample,
                                     std::array<std::uint64_t, 2> retransmissions, const FlowEnds& ends,
                                     const enrich::CountryFile* countries, std::uint64_t flows);

}  // namespace sonde::aggregate
