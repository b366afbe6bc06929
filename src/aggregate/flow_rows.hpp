// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>

#include "aggregate/ranking.hpp"
#include "pipeline/flows.hpp"
#include "sonde/flow_stream.hpp"

namespace sonde::aggregate {

/// The flows of an interval that come first. Only those that might be shown are described, so that a collection of a
/// million costs little more than looking at their counts.
class FlowRows {
 public:
  /// `whole`: the interval is everything there was, so a flow counts once, as it was when it ended.
  FlowRows(std::size_t limit, FlowOrder order, bool whole) : ranking_(limit), order_(order), whole_(whole) {}

  void add(const pipeline::FlowSample& sample, pipeline::FlowSource& source);
  void set_limit(std::size_t limit) { ranking_.set_limit(limit); }  ///< between two intervals
  /// Rows, and how many flows are not among them; begins the next interval.
  void take(FlowTable& table);

 private:
  [[nodiscard]] std::uint64_t rank(const pipeline::FlowSample& sample) const;
  [[nodiscard]] FlowRow row_of(const pipeline::FlowSample& sample, pipeline::FlowSource& source) const;

  Ranking<FlowRow> ranking_;
  FlowOrder order_;
  bool whole_;
  std::uint64_t offered_ = 0;
};

}  // namespace sonde::aggregate
