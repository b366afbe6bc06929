// SPDX-License-Identifier: Apache-2.0
#include "export/events/latency_histogram.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace sonde::exporter {
namespace {

TEST(LatencyHistogram, OneValueIsAllThree) {
  for (const std::uint64_t value : {0ULL, 1ULL, 63ULL, 64ULL, 1'000'003ULL, ~0ULL}) {
    LatencyHistogram histogram;
    histogram.add(value);
    EXPECT_EQ(histogram.min(), value);
    EXPECT_EQ(histogram.median(), value);
    EXPECT_EQ(histogram.max(), value);
  }
}

TEST(LatencyHistogram, TheMedianIsNearTheTrueOne) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 200; ++round) {
    LatencyHistogram histogram;
    std::vector<std::uint64_t> values(1 + random() % 2000);
    for (auto& value : values) {
      value = random() >> (random() % 64);
      histogram.add(value);
    }
    std::ranges::sort(values);
    const auto true_median = static_cast<double>(values[(values.size() - 1) / 2]);
    EXPECT_NEAR(static_cast<double>(histogram.median()), true_median, true_median / 64 + 1);
    EXPECT_EQ(histogram.count(), values.size());
    EXPECT_EQ(histogram.min(), values.front());
    EXPECT_EQ(histogram.max(), values.back());
  }
}

}  // namespace
}  // namespace sonde::exporter
