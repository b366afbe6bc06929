// SPDX-License-Identifier: Apache-2.0
// The rows of a table are the greatest, as sorting all of them says, and few of many are described.
#include "aggregate/ranking.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "aggregate/collection.hpp"
#include "scripted_source.hpp"

namespace sonde::test {
namespace {

using namespace std::chrono_literals;

TEST(Ranking, EqualsASortOfEverything) {
  std::mt19937 random(3);
  for (int round = 0; round < 200; ++round) {
    const std::size_t limit = random() % 20;
    aggregate::Ranking<std::uint64_t> ranking(limit);
    std::vector<std::pair<std::uint64_t, std::uint64_t>> model;
    for (std::uint64_t id = 0, count = random() % 200; id < count; ++id) {
      const std::uint64_t key = random() % 10;
      model.emplace_back(key, id);
      if (ranking.enters(key, id)) ranking.add(key, id, id);
    }
    std::ranges::sort(model, [](const auto& a, const auto& b) {
      return a.first != b.first ? a.first > b.first : a.second < b.second;
    });
    model.resize(std::min(model.size(), limit));
    std::vector<std::uint64_t> expected;
    for (const auto& [key, id] : model) expected.push_back(id);
    EXPECT_EQ(ranking.take(), expected);
    EXPECT_TRUE(ranking.take().empty());
  }
}

aggregate::CollectionOptions options(FlowOrder order, std::uint32_t top) {
  aggregate::CollectionOptions result{.owners = *enrich::CompiledOwnerFilter::compile({}), .order = order, .top = top};
  result.tables = true;
  return result;
}

TEST(FlowRows, OfAHundredThousandOnlyAFewAreDescribed) {
  ScriptedSource source;
  std::mt19937 random(5);
  const auto flow = make_flow("10.0.0.1", 40000, "10.0.0.2", 443);
  for (std::uint64_t id = 1; id <= 100'000; ++id) {
    source.flows[id] = flow;
    add_packets(source.flows[id], 0, 1, 60 + random() % 1'000'000);
  }
  aggregate::Collection collection(source, options(FlowOrder::rate, 20));
  source.show(collection);
  const auto table = collection.take_table(1s);
  ASSERT_EQ(table.rows.size(), 20U);
  EXPECT_EQ(table.more, 99'980U);
  EXPECT_LT(source.described, 500U);
  EXPECT_TRUE(std::ranges::is_sorted(table.rows, std::ranges::greater{},
                                     [](const FlowRow& row) { return row.interval[0].bytes; }));
}

// rate, bytes, packets, rtt and retransmissions each put another flow first.
TEST(FlowRows, EachOrderHasItsFirst) {
  ScriptedSource source;
  for (std::uint64_t id = 1; id <= 5; ++id)
    add_packets(source.flows[id] = make_flow("10.0.0.1", static_cast<std::uint16_t>(id), "10.0.0.2", 443), 0, 1, 100);
  struct Case {
    FlowOrder order;
    std::uint64_t first;
  };
  auto& flows = source.flows;
  add_packets(flows[1], 0, 10, 100'000);  // most bytes, but before
  flows[2].flow.handshake_us[0] = 90'000;
  flows[2].flow.flags |= SONDE_FLOW_SYN_ACK | SONDE_FLOW_HANDSHAKE;
  flows[3].flow.handshake_us[0] = 10;
  flows[3].flow.flags |= SONDE_FLOW_SYN_ACK | SONDE_FLOW_HANDSHAKE;
  flows[4].flow.retransmissions[1] = 7;
  add_packets(flows[4], 0, 100, 6000);
  for (const auto& [order, first] : {Case{FlowOrder::rate, 5},
                                     {FlowOrder::bytes, 1},
                                     {FlowOrder::packets, 4},
                                     {FlowOrder::rtt, 2},
                                     {FlowOrder::retransmissions, 4}}) {
    ScriptedSource fresh;
    fresh.flows = source.flows;
    aggregate::Collection collection(fresh, options(order, 1));
    fresh.show(collection);
    (void)collection.take_table(1s);
    for (auto& [id, flow] : fresh.flows) add_packets(flow, 1, 1, id == 5 ? 9000 : 10);
    fresh.show(collection);
    const auto table = collection.take_table(1s);
    ASSERT_EQ(table.rows.size(), 1U);
    EXPECT_EQ(table.rows[0].flow->id, first) << static_cast<int>(order);
  }
}

TEST(FlowRows, OfAFileOneTableHasEachFlowOnce) {
  ScriptedSource source;
  for (std::uint64_t id = 1; id <= 3; ++id)
    source.flows[id] = make_flow("10.0.0.1", static_cast<std::uint16_t>(id), "10.0.0.2", 443);
  auto whole = options(FlowOrder::bytes, 2);
  whole.whole = true;
  aggregate::Collection collection(source, std::move(whole));
  for (int step = 0; step < 4; ++step) {
    for (auto& [id, flow] : source.flows) add_packets(flow, 0, 1, 100 * id);
    source.show(collection,
                step == 3
                    ? std::map<std::uint64_t, FlowEnd>{{1, FlowEnd::idle}, {2, FlowEnd::shutdown}, {3, FlowEnd::closed}}
                    : std::map<std::uint64_t, FlowEnd>{});
  }
  const auto table = collection.take_table(4s);
  ASSERT_EQ(table.rows.size(), 2U);
  EXPECT_EQ(table.rows[0].interval[0].bytes, 1200U);
  EXPECT_EQ(table.rows[1].interval[0].bytes, 800U);
  EXPECT_EQ(table.more, 1U);
  EXPECT_EQ(table.others.interval[0].bytes, 400U);
  EXPECT_EQ(table.flows, 3U);
}

}  // namespace
}  // namespace sonde::test
