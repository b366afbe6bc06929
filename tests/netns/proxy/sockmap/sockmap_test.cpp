// SPDX-License-Identifier: Apache-2.0
// The sk_skb relay carries every byte once and in order, whatever the line and the readers do.
#include <gtest/gtest.h>

#include "actuators/proxy/forward/sockmap.hpp"
#include "relayed.hpp"

namespace sonde::proxy::test {
namespace {

struct SockmapOnALine : testing::Test {
  void SetUp() override {
    auto made = Sockmap::make();
    if (!made && made.error().kind == ErrorKind::unsupported) GTEST_SKIP() << made.error().text();
    ASSERT_TRUE(made) << made.error().text();
    path = std::move(*made);
  }
  PlanRun run(const std::vector<Plan>& plans, std::size_t at_once) {
    TrialOptions options;
    options.path = path.get();
    auto ran = run_plans(line, plans, at_once, options);
    for (const auto& fault : ran.faults) ADD_FAILURE() << fault;
    EXPECT_GT(path->counters().taken, plans.size() / 2);
    std::uint64_t kernel = 0;
    std::uint64_t total = 0;
    for (const auto& result : ran.results) {
      kernel += result.kernel.to_upstream + result.kernel.to_client;
      total += result.total().to_upstream + result.total().to_client;
    }
    EXPECT_GT(kernel, 0U);
    RecordProperty("carried_percent", static_cast<int>(kernel * 100 / std::max<std::uint64_t>(total, 1)));
    return ran;
  }
  Line line;
  std::unique_ptr<Sockmap> path;
};

TEST_F(SockmapOnALine, ManyConnections) { run(random_plans(500, 31, 4'000'000), 25); }

TEST_F(SockmapOnALine, WithLossAndReordering) {
  line.disturb(60);
  run(random_plans(250, 32, 1'500'000), 40);
  EXPECT_GT(line.lost(), 80U);
}

}  // namespace
}  // namespace sonde::proxy::test
