// SPDX-License-Identifier: Apache-2.0
#include "sonde/loss.hpp"

#include <gtest/gtest.h>

namespace sonde {
namespace {

TEST(LossReport, BalancesWhenEveryStageDoesAndTheChainHolds) {
  const LossReport good{{{"hook", 100, 80, 20, 0, ""}, {"ring", 80, 50, 0, 30, ""}, {"output", 50, 48, 1, 1, ""}}};
  EXPECT_TRUE(good.balanced());
  EXPECT_EQ(good.lost(), 31U);
  EXPECT_TRUE(LossReport{}.balanced());
  EXPECT_EQ(LossReport{}.lost(), 0U);
}

TEST(LossReport, ShowsEveryPacketThatIsUnaccountedFor) {
  const LossReport good{{{"hook", 100, 80, 20, 0, ""}, {"ring", 80, 50, 0, 30, ""}}};
  for (std::size_t stage = 0; stage < 2; ++stage)
    for (std::uint64_t LossStage::*member :
         {&LossStage::taken, &LossStage::given, &LossStage::filtered, &LossStage::lost}) {
      auto report = good;
      ++(report.stages[stage].*member);
      EXPECT_FALSE(report.balanced());
    }
  const LossReport gap{{{"hook", 100, 100, 0, 0, ""}, {"ring", 99, 99, 0, 0, ""}}};
  EXPECT_FALSE(gap.balanced()) << "each stage holds by itself, but one packet went between them";
}

}  // namespace
}  // namespace sonde
