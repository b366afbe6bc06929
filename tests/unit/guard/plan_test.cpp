// SPDX-License-Identifier: Apache-2.0
#include "actuators/guard/plan.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "actuators/guard/store.hpp"

namespace sonde::guard {
namespace {

using testing::ElementsAre;

constexpr std::int64_t now = 1'000'000'000'000'000'000;
constexpr std::int64_t second = 1'000'000'000;

std::vector<GuardRule> rules_of(std::string_view text, std::int64_t at = now) {
  auto rules = parse_guard_rules(text, GuardVerdict::block, at);
  if (!rules) ADD_FAILURE() << rules.error().text();
  return rules.value_or(std::vector<GuardRule>{});
}

RuleSet set_of(std::string_view text, std::int64_t at = now) { return plan_add({}, rules_of(text, at), {at, 20}).to; }

std::vector<std::string> texts_of(const RuleSet& set, std::int64_t at = now) {
  std::vector<std::string> texts;
  for (const auto& rule : set.rules) texts.push_back(std::to_string(rule.id) + " " + rule.text(at));
  return texts;
}

TEST(plan_add, new_rules_get_ids_that_count_up) {
  const auto plan = plan_add(set_of("10.0.0.1\n10.0.0.2"), rules_of("allow 10.0.0.1\nblock 10.0.0.3"), {now, 20});
  EXPECT_THAT(texts_of(plan.to),
              ElementsAre("1 block 10.0.0.1", "2 block 10.0.0.2", "3 allow 10.0.0.1", "4 block 10.0.0.3"));
  EXPECT_THAT(plan.change.ids, ElementsAre(3, 4));
  EXPECT_THAT(plan.change.lines, ElementsAre("+ allow 10.0.0.1", "+ block 10.0.0.3"));
  EXPECT_EQ(plan.change.kept, 2U);
  EXPECT_FALSE(plan.same);
}

TEST(plan_add, the_same_rule_again_refreshes_it) {
  const auto from = set_of("block 10.0.0.1 --ttl 10s --comment old\nlimit any --rate 10pps");
  const auto plan = plan_add(from, rules_of("block 10.0.0.1 --ttl 1h\nlimit any --rate 20pps"), {now, 20});
  EXPECT_THAT(texts_of(plan.to), ElementsAre("1 block 10.0.0.1 --ttl 3600s", "2 limit any --rate 20pps"));
  EXPECT_THAT(plan.change.ids, ElementsAre(1, 2));
  EXPECT_EQ(plan.change.changed, 2U);
  EXPECT_EQ(plan.change.added, 0U);
}

TEST(plan_add, what_is_another_rule_is_another_rule) {
  const auto from = set_of("block 10.0.0.1");
  const auto plan = plan_add(from,
                             rules_of("block 10.0.0.1 --dry-run\nblock 10.0.0.1/32 --dst-port 1\nallow 10.0.0.1\n"
                                      "block 10.0.0.1 --direction out\nblock 10.0.0.1 --protocol tcp\n"
                                      "block 10.0.0.1 --src-port 1"),
                             {now, 20});
  EXPECT_EQ(plan.change.added, 6U);
}

TEST(plan_add, nothing_new_is_no_change) {
  const auto plan = plan_add(set_of("block 10.0.0.1"), rules_of("10.0.0.1"), {now, 20});
  EXPECT_TRUE(plan.same);
  EXPECT_EQ(plan.change.kept, 1U);
}

TEST(plan_expiry, expired_rules_are_purged_and_their_ids_not_used_again) {
  const auto from = set_of("block 10.0.0.1 --ttl 10s\nblock 10.0.0.2");
  const auto plan = plan_add(from, rules_of("block 10.0.0.1"), {now + 10 * second, 20});
  EXPECT_EQ(plan.change.expired, 1U);
  EXPECT_THAT(texts_of(plan.to), ElementsAre("2 block 10.0.0.2", "3 block 10.0.0.1"));
}

TEST(plan_remove, by_id_and_by_words) {
  const auto from = set_of("10.0.0.1\n10.0.0.2\nallow 10.0.0.3 --dst-port 22");
  const std::vector<std::uint64_t> ids{2};
  const auto plan = plan_remove(from, ids, rules_of("allow 10.0.0.3 --dst-port 22"), {now, 20});
  ASSERT_TRUE(plan);
  EXPECT_THAT(texts_of(plan->to), ElementsAre("1 block 10.0.0.1"));
  EXPECT_EQ(plan->change.removed, 2U);
}

TEST(plan_remove, what_is_not_there_is_an_error) {
  const auto from = set_of("10.0.0.1\n10.0.0.2 --ttl 1s");
  const std::vector<std::uint64_t> ids{1, 7};
  const auto by_id = plan_remove(from, ids, {}, {now, 20});
  ASSERT_FALSE(by_id);
  EXPECT_EQ(by_id.error().message, "there is no rule 7");
  const auto by_words = plan_remove(from, {}, rules_of("allow 10.0.0.1"), {now, 20});
  ASSERT_FALSE(by_words);
  EXPECT_EQ(by_words.error().message, "there is no rule 'allow 10.0.0.1'");
  const std::vector<std::uint64_t> expired{2};
  EXPECT_FALSE(plan_remove(from, expired, {}, {now + 2 * second, 20}));
}

TEST(plan_apply, tells_what_is_added_removed_changed_and_kept) {
  const auto from = set_of("10.0.0.1\n10.0.0.2\nallow 10.0.0.3 --comment a");
  const auto plan = plan_apply(from, rules_of("10.0.0.9\nallow 10.0.0.3 --comment b\n10.0.0.1\n10.0.0.9"), {now, 20});
  EXPECT_THAT(texts_of(plan.to), ElementsAre("1 block 10.0.0.1", "3 allow 10.0.0.3 --comment b", "4 block 10.0.0.9"));
  EXPECT_THAT(plan.change.lines, ElementsAre("- block 10.0.0.2", "~ allow 10.0.0.3 --comment b", "+ block 10.0.0.9"));
  EXPECT_EQ(plan.change.added, 1U);
  EXPECT_EQ(plan.change.removed, 1U);
  EXPECT_EQ(plan.change.changed, 1U);
  EXPECT_EQ(plan.change.kept, 1U);
}

TEST(plan_apply, lines_are_bounded_and_the_rest_is_counted) {
  std::string text;
  for (int i = 0; i < 256; ++i) text += "10.0.0." + std::to_string(i) + "\n";
  const auto plan = plan_apply(set_of("10.1.0.0/16"), rules_of(text), {now, 5});
  EXPECT_EQ(plan.change.added, 256U);
  EXPECT_EQ(plan.change.lines.size(), 6U);
  EXPECT_EQ(plan.change.lines_left_out, 251U);
}

// Against a map from words to id, over many changes.
TEST(plan_apply, random_changes_agree_with_a_plain_model) {
  std::mt19937 random(3);
  const auto pick = [&](int most) { return std::uniform_int_distribution<int>(0, most)(random); };
  RuleSet set;
  std::map<std::string, std::uint64_t> model;
  std::uint64_t next = 1;
  for (int round = 0; round < 500; ++round) {
    std::string text;
    std::map<std::string, std::uint64_t> wanted;
    for (int i = pick(30); i > 0; --i) {
      const auto words = std::string(pick(1) == 0 ? "block" : "allow") + " 10.0.0." + std::to_string(pick(20));
      text += words + "\n";
      wanted.emplace(words, 0);
    }
    const bool apply = pick(1) == 0;
    const auto rules = rules_of(text);
    const auto plan = apply ? plan_apply(set, rules, {now, 20}) : plan_add(set, rules, {now, 20});
    if (apply) std::erase_if(model, [&](const auto& entry) { return !wanted.contains(entry.first); });
    std::vector<std::uint64_t> given;
    for (const auto& rule : rules)
      if (model.emplace(rule.text(now), next).second) ++next;
    set = plan.to;
    ASSERT_EQ(set.rules.size(), model.size());
    ASSERT_EQ(set.next_id, next);
    for (const auto& rule : set.rules) ASSERT_EQ(model.at(rule.text(now)), rule.id);
    ASSERT_TRUE(std::ranges::is_sorted(set.rules, {}, &GuardRule::id));
  }
}

TEST(plan_store, what_the_kernel_keeps_is_read_back) {
  constexpr std::int64_t offset = 123'456'789;
  auto set = set_of(
      "block 10.0.0.1 --ttl 90s --comment \"a b\"\nlimit any --protocol udp --rate 10mbit --burst 64k\n"
      "default drop --dst-port 1-1023 --interface eth0\nblock 2001:db8::/32 --direction both --dry-run");
  set.next_id = 77;
  const auto stored = store(set, offset);
  const auto read = restore(stored, offset);
  ASSERT_TRUE(read) << read.error().text();
  EXPECT_EQ(read->next_id, 77U);
  EXPECT_EQ(texts_of(*read), texts_of(set));
  EXPECT_EQ(read->rules[0].expires_wall_ns, set.rules[0].expires_wall_ns);
  // A wall clock that is set moves the time at which it will read expired, not the time that is left.
  const auto moved = restore(stored, offset + 3600 * second);
  ASSERT_TRUE(moved);
  EXPECT_EQ(moved->rules[0].expires_wall_ns, set.rules[0].expires_wall_ns + 3600 * second);
}

TEST(plan_store, what_is_no_rule_set_is_an_error) {
  EXPECT_FALSE(restore("", 0));
  auto stored = store(set_of("10.0.0.1"), 0);
  EXPECT_FALSE(restore(stored.substr(0, stored.size() - 8), 0));
  stored[0] ^= 1;
  EXPECT_FALSE(restore(stored, 0));
}

}  // namespace
}  // namespace sonde::guard
