// SPDX-License-Identifier: Apache-2.0
// Compiled rule sets: every address finds its rules.
#include "actuators/guard/tables/compile.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "actuators/guard/tables/blob_view.hpp"
#include "compile_lookup.hpp"

namespace sonde::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

using Address = std::array<std::uint8_t, 16>;

Address ipv4(std::uint32_t address) {
  return {0,
          0,
          0,
          0,
          0,
          0,
          0,
          0,
          0,
          0,
          0xff,
          0xff,
          static_cast<std::uint8_t>(address >> 24),
          static_cast<std::uint8_t>(address >> 16),
          static_cast<std::uint8_t>(address >> 8),
          static_cast<std::uint8_t>(address)};
}

GuardRule block(Address address, unsigned length) {
  GuardRule rule;
  rule.network = {address, static_cast<std::uint8_t>(length)};
  return rule;
}

GuardRule block4(std::uint32_t address, unsigned length) { return block(ipv4(address), 96 + length); }

guard::Blob compiled(std::vector<GuardRule> rules, std::string_view source = {}) {
  for (std::size_t i = 0; i < rules.size(); ++i) rules[i].id = i + 100;
  auto blob = guard::compile(rules, source, {.wall_now_ns = 1'000, .monotonic_now_ns = 10, .cpus = 2});
  EXPECT_TRUE(blob) << blob.error().text();
  return std::move(*blob);
}

bool contains(const GuardNetwork& network, const Address& address) {
  for (unsigned bit = 0; bit < network.length; ++bit)
    if (((network.address[bit / 8] ^ address[bit / 8]) >> (7 - bit % 8) & 1) != 0) return false;
  return true;
}

Address cut(Address address, unsigned length) {
  for (unsigned bit = length; bit < 128; ++bit) address[bit / 8] &= static_cast<std::uint8_t>(~(0x80U >> bit % 8));
  return address;
}

/// All rules are of the same verdict and plain: the one with the longest network is the only one to be asked.
std::vector<std::uint32_t> longest(const std::vector<GuardRule>& rules, const Address& address) {
  std::vector<std::uint32_t> found;
  for (std::uint32_t i = 0; i < rules.size(); ++i)
    if (contains(rules[i].network, address) &&
        (found.empty() || rules[i].network.length > rules[found[0]].network.length))
      found = {i};
  return found;
}

void compare(const std::vector<GuardRule>& rules, std::mt19937_64& random, const auto& random_address) {
  const auto blob = compiled(rules);
  const auto check = [&](const Address& address) {
    EXPECT_EQ(rules_of_address(blob, address), longest(rules, address)) << testing::PrintToString(address);
  };
  for (int i = 0; i < 300; ++i) check(random_address());
  for (const auto& rule : rules) {
    check(rule.network.address);
    auto last = rule.network.address;
    for (unsigned bit = rule.network.length; bit < 128; ++bit)
      last[bit / 8] |= static_cast<std::uint8_t>(0x80U >> bit % 8);
    check(last);
    auto before = rule.network.address;  // the address before, or the last of all
    for (std::size_t i = 16; i-- > (rule.network.length > 96 ? 12U : 0U) && before[i]-- == 0;) continue;
    check(before);
    for (std::size_t i = 16; i-- > (rule.network.length > 96 ? 12U : 0U) && ++last[i] == 0;) continue;
    check(last);
    if (testing::Test::HasFailure()) return;
  }
  (void)random;
}

TEST(GuardCompile, RandomIpv4Networks) {
  std::mt19937_64 random(7);
  for (const std::uint32_t spread : {0xffffffffU, 0x0003ffffU, 0x000003ffU}) {
    const auto address = [&] {
      return ipv4((0xc0000000U & ~spread) | (static_cast<std::uint32_t>(random()) & spread));
    };
    for (int round = 0; round < 30 && !testing::Test::HasFailure(); ++round) {
      std::vector<GuardRule> rules;
      for (int i = 0; i < 200; ++i) {
        const auto length = 97 + static_cast<unsigned>(random() % 32);
        rules.push_back(block(cut(address(), length), length));
      }
      compare(rules, random, address);
    }
  }
}

TEST(GuardCompile, RandomIpv6Networks) {
  std::mt19937_64 random(8);
  for (int round = 0; round < 30 && !testing::Test::HasFailure(); ++round) {
    const auto address = [&] {
      Address out{0x20, 0x01};
      for (std::size_t i = 2; i < 16; ++i) out[i] = random() % 3 == 0 ? static_cast<std::uint8_t>(random()) : 0;
      return out;
    };
    std::vector<GuardRule> rules;
    for (int i = 0; i < 400; ++i) {
      const auto length = 1 + static_cast<unsigned>(random() % 128);
      rules.push_back(block(cut(address(), length), length));
    }
    compare(rules, random, address);
  }
}

TEST(GuardCompile, EveryAddressOfA24WithManyRules) {
  std::vector<GuardRule> rules;
  for (std::uint32_t i = 0; i < 256; i += 2) rules.push_back(block4(0x0a000000U + i, 32));
  const auto blob = compiled(rules);
  for (std::uint32_t i = 0; i < 256; ++i)
    EXPECT_EQ(rules_of_address(blob, ipv4(0x0a000000U + i)).size(), i % 2 == 0 ? 1U : 0U) << i;
}

TEST(GuardCompile, ManyBlocksInOneSlice) {
  std::vector<GuardRule> rules;
  for (std::uint32_t i = 0; i < 256; ++i) rules.push_back(block4(0x0a000000U + (i << 8) + i, 32));
  const auto blob = compiled(rules);
  for (std::uint32_t i = 0; i < 256; ++i) {
    EXPECT_THAT(rules_of_address(blob, ipv4(0x0a000000U + (i << 8) + i)), ElementsAre(i));
    EXPECT_THAT(rules_of_address(blob, ipv4(0x0a000000U + (i << 8) + (i ^ 1U))), IsEmpty());
  }
}

TEST(GuardCompile, InnerRulesAreAskedBeforeOuterOnesOfTheirVerdict) {
  auto web = block4(0x0a010000, 16);
  web.destination_ports = {80, 80};
  auto allow = block4(0x0a000000, 8);
  allow.verdict = GuardVerdict::allow;
  allow.protocol = 6;
  const auto blob = compiled({block4(0x0a000000, 8), web, allow});
  EXPECT_THAT(rules_of_address(blob, ipv4(0x0a010203)), ElementsAre(2, 1, 0));
  EXPECT_THAT(rules_of_address(blob, ipv4(0x0a020203)), ElementsAre(2, 0));
}

// Behind a rule that says yes to everything nothing is asked any more.
TEST(GuardCompile, ListsEndWhereEverythingIsDecided) {
  auto outer = block4(0x0a000000, 8);
  outer.destination_ports = {80, 80};
  auto sent = block4(0x0a000000, 9);
  sent.direction = GuardDirection::out;
  const auto blob = compiled({outer, block4(0x0a010000, 16), sent, block4(0x0a010000, 24)});
  EXPECT_THAT(rules_of_address(blob, ipv4(0x0a01ff01)), ElementsAre(1, 2));
  EXPECT_THAT(rules_of_address(blob, ipv4(0x0a010001)), ElementsAre(3, 2));
}

TEST(GuardCompile, RulesForEveryAddressStandApart) {
  auto any = GuardRule{};
  any.verdict = GuardVerdict::default_drop;
  auto all_ipv4 = block4(0, 0);
  all_ipv4.verdict = GuardVerdict::default_drop;
  auto never = GuardRule{};
  never.verdict = GuardVerdict::never_block;
  never.protocol = 1;
  const auto blob = compiled({any, all_ipv4, block4(0x0a000000, 8), never});
  EXPECT_THAT(rules_of_any(blob), ElementsAre(3, 1, 0));
  EXPECT_THAT(rules_of_address(blob, ipv4(0x0a000001)), ElementsAre(2));
}

TEST(GuardCompile, ExpiredRulesAreInNoTable) {
  auto over = block4(0x0a000000, 8);
  over.expires_wall_ns = 1'000;
  auto later = block4(0x0b000000, 8);
  later.expires_wall_ns = 1'001;
  const auto blob = compiled({over, later});
  EXPECT_THAT(rules_of_address(blob, ipv4(0x0a000001)), IsEmpty());
  EXPECT_THAT(rules_of_address(blob, ipv4(0x0b000001)), ElementsAre(1));
}

TEST(GuardCompile, KeepsSourceAndIds) {
  const auto blob = compiled({block4(0x0a000000, 8), block4(0x0b000000, 8)}, "block 10.0.0.0/8\nblock 11.0.0.0/8\n");
  const auto view = guard::BlobView::open(blob.bytes);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->source(), "block 10.0.0.0/8\nblock 11.0.0.0/8\n");
  EXPECT_EQ(view->rules(), 2U);
  EXPECT_EQ(view->id(1), 101U);
  EXPECT_EQ(view->count(1).packets, 0U);
}

TEST(GuardCompile, RefusesWhatItCannotHold) {
  const auto refused = [](const GuardRule& rule) {
    const auto blob = guard::compile({&rule, 1}, {}, {});
    return blob ? std::string() : blob.error().text();
  };
  auto limit = block4(0x0a000000, 8);
  limit.verdict = GuardVerdict::limit;
  EXPECT_THAT(refused(limit), HasSubstr("needs a rate"));
  EXPECT_THAT(refused(block4(0x0a000001, 8)), HasSubstr("bits behind its length"));
  EXPECT_EQ(refused(block4(0x0a000000, 8)), "");
}

// Counts of rules that stay go with them; those of a limit's drops as well.
TEST(GuardCompile, CarriesCounts) {
  auto limit = block4(0x0c000000, 8);
  limit.verdict = GuardVerdict::limit;
  limit.rate = 5;
  auto old = compiled({block4(0x0a000000, 8), limit});
  auto now = compiled({limit, block4(0x0d000000, 8), block4(0x0a000000, 8)});
  const auto header = guard::BlobView::open(old.bytes)->header();
  const auto count = [&](std::uint32_t shard, std::uint32_t counter, std::uint64_t packets) {
    auto* counters = reinterpret_cast<sonde_guard_counter*>(
        old.bytes.data() + std::size_t{header.counters + shard * header.shard_elements} * SONDE_GUARD_ELEMENT_SIZE);
    counters[counter] = {packets, packets * 100};
  };
  count(0, 0, 3), count(1, 0, 4), count(1, 1, 9), count(0, 2, 2);
  const std::array<std::uint32_t, 3> origin{1, UINT32_MAX, 0};
  guard::carry_counts(*guard::BlobView::open(old.bytes), now.bytes, origin);
  const auto view = *guard::BlobView::open(now.bytes);
  EXPECT_EQ(view.count(0).packets, 9U);
  EXPECT_EQ(view.limited(0).packets, 2U);
  EXPECT_EQ(view.limited(0).bytes, 200U);
  EXPECT_EQ(view.count(1).packets, 0U);
  EXPECT_EQ(view.count(2).packets, 7U);
  EXPECT_EQ(view.limited(2).packets, 0U);
}

TEST(GuardCompile, ForeignBytesAreNoRuleSet) {
  std::vector<std::uint8_t> bytes(4096);
  EXPECT_FALSE(guard::BlobView::open(bytes));
  auto blob = compiled({block4(0x0a000000, 8)});
  reinterpret_cast<sonde_guard_header*>(blob.bytes.data())->version = 99;
  EXPECT_FALSE(guard::BlobView::open(blob.bytes));
}

}  // namespace
}  // namespace sonde::test
