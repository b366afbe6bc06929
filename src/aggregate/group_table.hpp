// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>

#include "aggregate/group_key.hpp"
#include "sonde/flow_stream.hpp"

namespace sonde::aggregate {

/// What a sample adds to a group.
struct GroupShare {
  GroupKey key;
  std::array<PacketCount, 2> count{};  ///< [0] sent by the group's end, [1] received
  std::uint64_t retransmissions = 0;
  std::uint64_t flows = 0;  ///< 1 with one sample of a flow in an interval, else 0
};

/// Groups and what they add up to, in the interval and since they are known. At most `capacity` groups: when it is
/// full, groups that had no packet in an interval are added to the others at its end, and a new group counts as one of
/// the others until there is room.
class GroupTable {
 public:
  static constexpr std::size_t capacity = 65536;

  explicit GroupTable(std::size_t most = capacity) : most_(most) {}

  /// rtt: of the flow, if it has one; counted with the sample that counts the flow.
  void add(const GroupShare& share, std::optional<std::chrono::microseconds> rtt);

  /// The `limit` first groups of the interval, the rest of them in table.more and table.others; begins the next one.
  /// `name` gives the name of a key whose key_name() is empty.
  void take(std::size_t limit, FlowOrder order, const std::function<std::string(const GroupKey&)>& name,
            FlowTable& table);

  [[nodiscard]] bool holds(const GroupKey& key) const { return groups_.contains(key); }
  [[nodiscard]] std::size_t size() const { return groups_.size(); }

 private:
  struct Group {
    std::array<PacketCount, 2> interval{};
    std::array<PacketCount, 2> total{};
    std::uint64_t flows = 0;
    std::uint64_t retransmissions = 0;
    std::uint64_t rtt_us = 0;
    std::uint64_t rtt_count = 0;
  };
  static bool is_active(const Group& group);
  static FlowRow row_of(const Group& group);
  static std::uint64_t rank(const Group& group, FlowOrder order);
  static void add_group(Group& sum, const Group& group);
  void begin_interval();

  std::size_t most_;
  std::unordered_map<GroupKey, Group, GroupKeyHash> groups_;
  Group overflow_;  ///< what found no room
};

}  // namespace sonde::aggregate
