// SPDX-License-Identifier: Apache-2.0
// Peers in other namespaces, on a line that loses packets and brings them out of order.
#include <gtest/gtest.h>

#include "relayed.hpp"

namespace sonde::proxy::test {
namespace {

struct RelayOnALine : testing::TestWithParam<bool> {
  [[nodiscard]] static TrialOptions options() {
    TrialOptions made;
    made.splice = GetParam();
    return made;
  }
};
INSTANTIATE_TEST_SUITE_P(Relay, RelayOnALine, testing::Values(true, false),
                         [](const auto& splice) { return splice.param ? "splice" : "copy"; });

void expect_no_faults(const PlanRun& run, std::size_t plans) {
  for (const auto& fault : run.faults) ADD_FAILURE() << fault;
  // A client that resets at once may never be accepted.
  EXPECT_GE(run.results.size(), plans * 9 / 10);
  EXPECT_LE(run.results.size(), plans);
  std::uint64_t spliced = 0;
  for (const auto& result : run.results) spliced += result.spliced.to_upstream + result.spliced.to_client;
  EXPECT_EQ(spliced > 0, RelayOnALine::GetParam());
}

TEST_P(RelayOnALine, ManyConnections) {
  const Line line;
  const auto plans = random_plans(500, 21, 4'000'000);
  const PlanRun run = run_plans(line, plans, 25, options());
  expect_no_faults(run, plans.size());
}

TEST_P(RelayOnALine, WithLossAndReordering) {
  Line line;
  line.disturb(60);
  const auto plans = random_plans(250, 22, 1'500'000);
  const PlanRun run = run_plans(line, plans, 40, options());
  expect_no_faults(run, plans.size());
  EXPECT_GT(line.lost(), 80U);
  EXPECT_GT(line.late(), 200U);
  EXPECT_GT(std::stoull(line.proxy.run("nstat -asz TcpExtTCPOFOQueue | awk '/OFO/ {print $2}'")), 10U);
}

}  // namespace
}  // namespace sonde::proxy::test
