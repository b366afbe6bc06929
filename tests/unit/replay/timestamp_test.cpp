// SPDX-License-Identifier: Apache-2.0
#include "replay/timestamp.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace sonde::replay {
namespace {

constexpr std::int64_t second_ns = 1'000'000'000;

struct Case {
  std::uint8_t resolution;
  std::uint64_t timestamp;
  std::int64_t wall_ns;
};

class Resolution : public ::testing::TestWithParam<Case> {};

TEST_P(Resolution, GivesNanoseconds) {
  const auto unit = TimeUnit::from_resolution(GetParam().resolution);
  ASSERT_TRUE(unit);
  EXPECT_EQ(unit->wall_ns(GetParam().timestamp), GetParam().wall_ns);
}

INSTANTIATE_TEST_SUITE_P(Units, Resolution,
                         ::testing::Values(Case{0, 7, 7 * second_ns}, Case{3, 1001, 1'001'000'000},
                                           Case{6, 1'000'001, 1'000'001'000}, Case{9, 1'000'000'001, 1'000'000'001},
                                           Case{12, 1'000'000'001'999, 1'000'000'001},
                                           Case{19, 10'000'000'000'000'000'000U, second_ns},
                                           Case{0x80, 7, 7 * second_ns}, Case{0x81, 3, 1'500'000'000},
                                           Case{0x80 | 30, (1ULL << 30) * 5 + (1ULL << 29), 5'500'000'000},
                                           Case{0x80 | 63, (1ULL << 63) + (1ULL << 62), 1'500'000'000},
                                           Case{0, ~0ULL, std::numeric_limits<std::int64_t>::max()}));

TEST(Resolution, DefaultIsMicroseconds) { EXPECT_EQ(TimeUnit().wall_ns(5), 5000); }

TEST(Resolution, FinerThan64BitsOfASecondIsRefused) {
  EXPECT_FALSE(TimeUnit::from_resolution(20));
  EXPECT_FALSE(TimeUnit::from_resolution(0x80 | 64));
}

TEST(Resolution, OffsetIsAddedInSeconds) {
  TimeUnit unit;
  unit.set_offset(-2);
  EXPECT_EQ(unit.wall_ns(1'000'001), -second_ns + 1000);
  unit.set_offset(std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(unit.wall_ns(0), std::numeric_limits<std::int64_t>::min());
}

}  // namespace
}  // namespace sonde::replay
