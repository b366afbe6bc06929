// SPDX-License-Identifier: Apache-2.0
// Records: when they are made, and that their deltas add up.
#include <gtest/gtest.h>

#include "aggregate/collection.hpp"
#include "aggregate/facts.hpp"
#include "scripted_source.hpp"

namespace sonde::test {
namespace {

using namespace std::chrono_literals;
constexpr std::uint64_t second_ns = 1'000'000'000;

struct Recording {
  ScriptedSource source;
  std::vector<FlowRecord> records;
  aggregate::Collection collection;

  explicit Recording(const OwnerFilter& owners = {}, std::chrono::nanoseconds active = 10s)
      : collection(source, options(owners, active)) {}

  aggregate::CollectionOptions options(const OwnerFilter& owners, std::chrono::nanoseconds active) {
    aggregate::CollectionOptions result{.owners = *enrich::CompiledOwnerFilter::compile(owners)};
    result.active_timeout = active;
    result.record = [this](const FlowRecord& record) { records.push_back(record); };
    return result;
  }
};

TEST(Records, OneAtTheEndOfAShortFlow) {
  Recording run;
  run.source.flows[7] = make_flow("10.0.0.1", 40000, "10.0.0.2", 443);
  add_packets(run.source.flows[7], 0, 3, 300);
  run.source.show(run.collection);
  EXPECT_TRUE(run.records.empty());
  add_packets(run.source.flows[7], 1, 2, 2000);
  run.source.show(run.collection, {{7, FlowEnd::closed}});
  ASSERT_EQ(run.records.size(), 1U);
  const auto& record = run.records[0];
  EXPECT_EQ(record.flow.end, FlowEnd::closed);
  EXPECT_EQ(record.delta[0].packets, 3U);
  EXPECT_EQ(record.delta[1].bytes, 2000U);
  EXPECT_EQ(record.delta_from_wall_ns, record.flow.first_wall_ns);
  EXPECT_EQ(record.ifindex, 2U);
}

TEST(Records, EveryActiveTimeoutAndTheDeltasAddUp) {
  Recording run;
  auto& flow = run.source.flows[1];
  flow = make_flow("10.0.0.2", 1, "10.0.0.1", 2);
  for (std::uint64_t time = 1; time <= 35; ++time) {
    flow.flow.last_ns = time * second_ns;
    add_packets(flow, time % 2, 1, 100);
    run.source.show(run.collection);
  }
  ASSERT_EQ(run.records.size(), 3U);
  run.source.show(run.collection, {{1, FlowEnd::idle}});
  ASSERT_EQ(run.records.size(), 4U);
  std::uint64_t packets = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    packets += run.records[i].delta[0].packets + run.records[i].delta[1].packets;
    EXPECT_EQ(run.records[i].flow.end, i == 3 ? FlowEnd::idle : FlowEnd::none);
    if (i > 0) {
      EXPECT_EQ(run.records[i].delta_from_wall_ns, run.records[i - 1].flow.last_wall_ns);
    }
  }
  EXPECT_EQ(packets, 35U);
  EXPECT_EQ(run.records[0].flow.last_wall_ns, 11 * static_cast<std::int64_t>(second_ns));
}

TEST(Records, ASilentFlowHasNoneUntilItEnds) {
  Recording run;
  auto& flow = run.source.flows[1];
  flow = make_flow("10.0.0.2", 1, "10.0.0.1", 2);
  add_packets(flow, 0, 1, 100);
  run.source.show(run.collection);
  for (int i = 0; i < 50; ++i) run.source.show(run.collection);
  EXPECT_TRUE(run.records.empty());
  run.source.show(run.collection, {{1, FlowEnd::idle}});
  EXPECT_EQ(run.records.size(), 1U);
}

// What was left out while the owner was not known comes back, and the ledger holds at every step.
TEST(Records, OwnerFilterTakesBackWhatItLeftOut) {
  Recording run({.processes = {"curl"}});
  run.source.flows[1] = make_flow("10.0.0.1", 1, "10.0.0.2", 80);
  run.source.flows[2] = make_flow("10.0.0.1", 2, "10.0.0.2", 80);
  run.source.flows[2].opener_owner = owned_by("wget", 9);
  add_packets(run.source.flows[1], 0, 3, 300);
  add_packets(run.source.flows[2], 0, 5, 500);
  run.source.show(run.collection);
  EXPECT_TRUE(LossReport{run.collection.loss()}.balanced());
  EXPECT_EQ(run.collection.loss().back().filtered, 8U);
  run.source.flows[1].opener_owner = owned_by("curl", 8);
  add_packets(run.source.flows[1], 0, 1, 100);
  run.source.show(run.collection);
  EXPECT_EQ(run.collection.total().packets, 4U);
  EXPECT_EQ(run.collection.flows(), 1U);
  EXPECT_EQ(run.collection.loss().back().filtered, 5U);
  EXPECT_TRUE(LossReport{run.collection.loss()}.balanced());
  run.source.show(run.collection, {{1, FlowEnd::closed}, {2, FlowEnd::closed}});
  ASSERT_EQ(run.records.size(), 1U);
  EXPECT_EQ(run.records[0].flow.id, 1U);
  EXPECT_EQ(run.records[0].delta[0].packets, 4U);
}

TEST(Facts, WhichEndIsThisHost) {
  struct Case {
    unsigned flags;
    std::optional<std::size_t> side;
  };
  const unsigned in0 = SONDE_FLOW_RECEIVED_0, in1 = SONDE_FLOW_RECEIVED_1, out0 = SONDE_FLOW_SENT_0,
                 out1 = SONDE_FLOW_SENT_1;
  for (const auto& [flags, side] : {Case{out0 | in1, 0},
                                    {in0 | out1, 1},
                                    {out0, 0},
                                    {in0, 1},
                                    {in1, 0},
                                    {out1, 1},
                                    {in0 | in1, {}},
                                    {in0 | out0 | in1 | out1, {}},
                                    {in0 | out0, {}},
                                    {0, {}}}) {
    sonde_flow flow{};
    flow.flags = static_cast<std::uint16_t>(flags);
    EXPECT_EQ(aggregate::local_end(flow), side) << flags;
    flow.flags |= SONDE_FLOW_OPENER_1;
    EXPECT_EQ(aggregate::local_end(flow), side ? std::optional(1 - *side) : side) << flags;
  }
}

TEST(Facts, RoundTripNeedsTheWholeHandshake) {
  sonde_flow flow{};
  flow.handshake_us[0] = 100;
  flow.handshake_us[1] = 50;
  EXPECT_FALSE(aggregate::round_trip_time(flow));
  flow.flags = SONDE_FLOW_SYN_ACK;
  EXPECT_FALSE(aggregate::round_trip_time(flow)) << "half the way is not the way";
  flow.flags = SONDE_FLOW_SYN_ACK | SONDE_FLOW_HANDSHAKE;
  EXPECT_EQ(aggregate::round_trip_time(flow), 150us);
}

}  // namespace
}  // namespace sonde::test
