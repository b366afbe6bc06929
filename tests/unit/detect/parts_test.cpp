// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>

#include "detect/address.hpp"
#include "detect/bounded.hpp"
#include "detect/distinct.hpp"
#include "detect/dns/names.hpp"
#include "detect/flood/baseline.hpp"
#include "detect/flood/count_min.hpp"
#include "detect/top.hpp"

namespace sonde::detect {
namespace {

TEST(Distinct, IsExactUpToAThousandAndCloseAbove) {
  for (const std::uint64_t real : {0ULL, 1ULL, 999ULL, 1000ULL, 1001ULL, 5000ULL, 100'000ULL, 2'000'000ULL}) {
    Distinct distinct;
    for (std::uint64_t i = 0; i < real; ++i) {
      distinct.add(mix(i + 77));
      distinct.add(mix(i / 2 + 77));
    }
    const auto count = static_cast<double>(distinct.count());
    if (real <= 1000) {
      EXPECT_EQ(distinct.count(), real);
    } else {
      // Four standard errors of 1.04 / sqrt(1024).
      EXPECT_NEAR(count / static_cast<double>(real), 1, 0.13) << real;
    }
  }
}

TEST(PortSet, CountsEachOnce) {
  PortSet ports;
  for (std::uint32_t i = 0; i < 65536; ++i) EXPECT_TRUE(ports.add(static_cast<std::uint16_t>(i)));
  EXPECT_FALSE(ports.add(443));
  EXPECT_EQ(ports.count(), 65536U);
}

TEST(Bounded, ForgetsWhatWasNotTouchedForLongest) {
  Bounded<int, int, std::hash<int>> map(3);
  for (int i = 0; i < 3; ++i) map.touch(i) = i * 10;
  map.touch(0);
  map.touch(3);
  EXPECT_EQ(map.find(1), nullptr);
  ASSERT_NE(map.find(0), nullptr);
  EXPECT_EQ(*map.find(0), 0);
  EXPECT_EQ(map.size(), 3U);
  map.erase_if([](int key, int) { return key == 2; });
  map.erase(3);
  map.erase(42);
  EXPECT_EQ(map.size(), 1U);
}

TEST(Top, KeepsTheMostFrequent) {
  Top<int> top(4);
  for (int i = 0; i < 1000; ++i) {
    top.add(1, 3);
    top.add(2, 2);
    top.add(100 + i, 1);
  }
  const auto sorted = top.sorted();
  EXPECT_EQ(sorted[0].first, 1);
  EXPECT_GE(sorted[0].second, 3000U);
  EXPECT_EQ(sorted[1].first, 2);
  EXPECT_EQ(top.sum(), 6000U);
}

TEST(CountMin, IsNeverTooSmall) {
  CountMin counts;
  for (std::uint64_t i = 0; i < 100'000; ++i) EXPECT_GE(counts.add(mix(i), 1), 1U);
  EXPECT_GE(counts.add(mix(5), 100), 101U);
  counts.clear();
  EXPECT_EQ(counts.add(mix(5), 7), 7U);
}

TEST(Baseline, LearnsMeanAndDeviation) {
  Baseline baseline;
  for (int i = 0; i < 2000; ++i) baseline.learn(i % 2 ? 90 : 110);
  EXPECT_NEAR(baseline.mean(), 100, 1);
  EXPECT_NEAR(baseline.deviation(), 10, 1);
}

TEST(Addresses, ArePrivateOrNot) {
  const auto v4 = [](std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d) {
    return Address{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d};
  };
  EXPECT_TRUE(is_private(v4(10, 1, 2, 3)));
  EXPECT_TRUE(is_private(v4(172, 31, 0, 1)));
  EXPECT_FALSE(is_private(v4(172, 32, 0, 1)));
  EXPECT_TRUE(is_private(v4(192, 168, 0, 1)));
  EXPECT_TRUE(is_private(v4(100, 127, 0, 1)));
  EXPECT_FALSE(is_private(v4(8, 8, 8, 8)));
  EXPECT_TRUE(is_private(Address{0xfe, 0x80}));
  EXPECT_TRUE(is_private(Address{0xfd}));
  EXPECT_FALSE(is_private(Address{0x20, 0x01, 0x0d, 0xb8}));
  EXPECT_FALSE(is_one_host(v4(224, 0, 0, 251)));
  EXPECT_FALSE(is_one_host(v4(255, 255, 255, 255)));
  EXPECT_FALSE(is_one_host(v4(0, 0, 0, 0)));
  EXPECT_FALSE(is_one_host(Address{}));
  EXPECT_FALSE(is_one_host(Address{0xff, 0x02}));
  EXPECT_TRUE(is_one_host(v4(10, 0, 0, 1)));
}

TEST(Names, AreSplitAtTheRegisteredDomain) {
  const auto split = [](std::string_view name) { return split_name(name); };
  EXPECT_EQ(split("a.b.example.com").data, "a.b");
  EXPECT_EQ(split("a.b.example.com").domain, "example.com");
  EXPECT_EQ(split("data.example.co.uk").data, "data");
  EXPECT_EQ(split("data.example.co.uk").domain, "example.co.uk");
  EXPECT_EQ(split("example.com").data, "");
  EXPECT_EQ(split("localhost").data, "");
  EXPECT_EQ(split("").data, "");
  EXPECT_EQ(split("4.3.2.1.in-addr.arpa").domain, "in-addr.arpa");
}

TEST(Names, UsualDataIsTold) {
  const auto usual = [](std::string_view name) { return is_usual_data(split_name(name)); };
  EXPECT_TRUE(usual("4.3.2.1.zen.spamhaus.org"));
  EXPECT_TRUE(usual("4.3.2.1.in-addr.arpa"));
  EXPECT_TRUE(usual("b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.zen.spamhaus.org"));
  EXPECT_TRUE(usual("s1._domainkey.example.com"));
  EXPECT_TRUE(usual("_acme-challenge.www.example.com"));
  EXPECT_TRUE(usual("d41d8cd98f00b204e9800998ecf8427e.malware.hash.cymru.com"));
  EXPECT_FALSE(usual("www.example.com"));
  EXPECT_FALSE(usual("mfzwizltoq2gk3tdojsxi2lomfzwizltoq2gk3tdojsxi2lo.t.example.net"));
  EXPECT_FALSE(usual("d41d8cd98f00b204e9800998ecf8427e.d41d8cd98f00b204e9800998ecf8427e.t.example.net"));
}

TEST(Names, EntropyIsInBitsACharacter) {
  EXPECT_EQ(entropy_of(""), 0);
  EXPECT_EQ(entropy_of("aaaa"), 0);
  EXPECT_NEAR(entropy_of("ab.ab"), 1, 1e-9);
  EXPECT_NEAR(entropy_of("0123456789abcdef"), 4, 1e-9);
}

}  // namespace
}  // namespace sonde::detect
