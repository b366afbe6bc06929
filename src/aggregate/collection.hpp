// SPDX-License-Identifier: Apache-2.0
// What the collections of a source become: filtered by owner, counted, recorded, put into tables.
#pragma once
#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>

#include "aggregate/flow_owners.hpp"
#include "aggregate/flow_rows.hpp"
#include "aggregate/group_table.hpp"
#include "aggregate/grouping.hpp"
#include "aggregate/records.hpp"
#include "enrich/country/country.hpp"
#include "enrich/process/owner_filter.hpp"
#include "pipeline/flows.hpp"
#include "sonde/flow_stream.hpp"

namespace sonde::aggregate {

struct CollectionOptions {
  enrich::CompiledOwnerFilter owners;
  FlowGrouping by = FlowGrouping::flow;
  FlowOrder order = FlowOrder::rate;
  std::uint32_t top = 20;  ///< 0: as many as a table may have
  bool whole = false;      ///< one table of everything, at the end
  bool tables = false;     ///< are made
  std::optional<enrich::CountryFile> countries{};
  std::chrono::nanoseconds active_timeout{};
  std::function<void(const FlowRecord&)> record{};  ///< empty: no records are made
};

class Collection final : public pipeline::FlowVisitor {
 public:
  static constexpr std::size_t most_rows = 65536;

  Collection(pipeline::FlowSource& source, CollectionOptions options);

  void visit(const pipeline::FlowSample& seen) override;

  /// The interval so far; begins the next one.
  [[nodiscard]] FlowTable take_table(std::chrono::nanoseconds interval);
  void set_top(std::uint32_t rows);  ///< from the next interval on

  [[nodiscard]] const PacketCount& total() const { return total_; }
  [[nodiscard]] std::uint64_t flows() const { return flows_; }
  /// Of all packets so far; 0: there were none.
  [[nodiscard]] std::int64_t first_wall_ns() const {
    return first_ns_ == UINT64_MAX ? 0 : source_.to_wall_ns(first_ns_);
  }
  [[nodiscard]] std::int64_t last_wall_ns() const { return last_ns_ == 0 ? 0 : source_.to_wall_ns(last_ns_); }
  /// The source's stages, and "filter" if there are owner filters.
  [[nodiscard]] std::vector<LossStage> loss() const;

 private:
  struct Interval {
    std::array<PacketCount, 2> count{};
    std::uint64_t flows = 0, new_flows = 0, ended_flows = 0;
  };
  void count(const pipeline::FlowSample& sample);
  void add_to_groups(const pipeline::FlowSample& sample, const FlowEnds& ends);
  [[nodiscard]] std::array<std::uint64_t, 2> new_retransmissions(const pipeline::FlowSample& sample);
  [[nodiscard]] std::size_t limit() const { return top_ == 0 ? most_rows : top_; }
  void finish_flow_rows(FlowTable& table) const;

  pipeline::FlowSource& source_;
  CollectionOptions options_;
  std::uint32_t top_;
  bool filters_;
  GroupNames names_;
  std::optional<FlowOwners> owners_;
  FlowRows rows_;
  GroupTable groups_;
  std::optional<FlowRecorder> recorder_;
  std::unordered_map<std::uint64_t, std::array<std::uint32_t, 2>>
      retransmissions_;  ///< of flows that had some, by side
  Interval interval_;
  PacketCount total_;
  std::uint64_t flows_ = 0;
  std::uint64_t first_ns_ = UINT64_MAX, last_ns_ = 0;  ///< CLOCK_MONOTONIC
};

}  // namespace sonde::aggregate
