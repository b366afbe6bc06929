// SPDX-License-Identifier: Apache-2.0
// Flows by their key in user space: a bounded hash table that knows which flow has been quiet the longest.
#pragma once
#include <sonde/abi/flow.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "flows/flow_name.hpp"
#include "pipeline/flows.hpp"

namespace sonde::flows {

struct FlowEntry {
  sonde_flow flow{};
  std::array<pipeline::FlowCount, 2> collected{};  ///< what the collections so far have shown, by side
  std::uint64_t id = 0;
  std::unique_ptr<FlowName> name;  ///< null: not seen
  bool shown = false;              ///< it was in a collection
  bool changed = false;            ///< it had packets since
  bool closing = false;            ///< TCP: it is over, and only late packets are waited for

  // Of the table.
  std::uint32_t bucket_next = 0;
  std::uint32_t newer = 0;
  std::uint32_t older = 0;
};

/// The entry as a collection shows it, which is remembered: what comes later is of the next collection. Valid as long
/// as the entry is.
[[nodiscard]] pipeline::FlowSample take_sample(FlowEntry& entry, FlowEnd end);

/// Flows in a table of at most `capacity` entries; memory grows with their number. Entries are named by an index that
/// is valid until remove(). Index 0 is none.
///
/// Flows that go on and flows that are closing are two lists, each in the order of the flows' last packets.
class FlowTable {
 public:
  using Index = std::uint32_t;

  explicit FlowTable(std::uint32_t capacity);

  [[nodiscard]] Index find(const sonde_flow_key& key) const;
  /// The key must not be in the table; there must be room.
  Index add(const sonde_flow_key& key);
  void remove(Index index);

  /// The flow had a packet: it is the youngest of its list from here on.
  void touch(Index index);
  /// Moves the flow to the list of those that are closing, or back.
  void set_closing(Index index, bool closing);

  /// The flow whose last packet is the longest ago; 0: there is none.
  [[nodiscard]] Index oldest(bool closing) const;
  /// The next younger flow of the same list; 0: none.
  [[nodiscard]] Index newer(Index index) const;

  [[nodiscard]] FlowEntry& operator[](Index index) { return entries_[index]; }
  [[nodiscard]] const FlowEntry& operator[](Index index) const { return entries_[index]; }
  [[nodiscard]] std::uint32_t size() const { return size_; }
  [[nodiscard]] bool full() const { return size_ == capacity_; }

 private:
  // The entries before the first flow are the heads of the two lists.
  static constexpr Index going = 0;
  static constexpr Index closed = 1;
  static constexpr Index first = 2;
  [[nodiscard]] static constexpr Index list_of(bool closing) { return closing ? closed : going; }

  [[nodiscard]] std::size_t bucket_of(const sonde_flow_key& key) const;
  void append(Index head, Index index);
  void unlink(Index index);
  void grow();

  const std::uint32_t capacity_;
  const std::uint64_t seed_;
  std::vector<FlowEntry> entries_;
  std::vector<Index> buckets_;  ///< a power of two of them, at least as many as entries
  Index free_ = 0;              ///< removed entries, chained by bucket_next
  std::uint32_t size_ = 0;
};

}  // namespace sonde::flows
