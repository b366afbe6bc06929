// SPDX-License-Identifier: Apache-2.0
#include "actuators/guard/tables/lists.hpp"

#include <algorithm>

namespace sonde::guard {
namespace {

std::uint64_t hash(std::span<const std::uint32_t> words) {
  std::uint64_t value = words.size();
  for (const auto word : words) value = (value ^ word) * 0x9e3779b97f4a7c15U ^ value >> 29;
  return value;
}

}  // namespace

std::uint32_t RecordNumbers::of(std::uint32_t rule) {
  if (by_rule_[rule] == none) {
    by_rule_[rule] = static_cast<std::uint32_t>(rules_.size());
    rules_.push_back(rule);
  }
  return by_rule_[rule];
}

Lists::Lists(std::span<const RuleFacts> facts) : facts_(facts), records_(facts.size()) {
  for (const auto& rule : facts) directions_ |= rule.directions;
}

void Lists::merge(std::span<const std::uint32_t> own, std::span<const std::uint32_t> outer,
                  std::vector<std::uint32_t>& merged) const {
  merged.clear();
  auto open = directions_;  // directions in which nothing has decided yet
  auto a = own.begin();
  auto b = outer.begin();
  while (open != 0 && (a != own.end() || b != outer.end())) {
    const bool take_own = b == outer.end() || (a != own.end() && facts_[*a].verdict <= facts_[*b].verdict);
    const auto rule = take_own ? *a++ : *b++;
    const auto& facts = facts_[rule];
    if (facts.over || (facts.directions & open) == 0) continue;
    merged.push_back(rule);
    if (facts.plain) open &= static_cast<std::uint8_t>(~facts.directions);
  }
}

Reference Lists::reference(std::span<const std::uint32_t> rules, bool always_list) {
  if (rules.empty()) return no_rule;
  if (rules.size() == 1 && facts_[rules[0]].plain && !always_list) return rule_reference(rules[0], facts_[rules[0]]);
  longest_ = std::max(longest_, rules.size());
  list_.assign({static_cast<std::uint32_t>(rules.size()), 0});
  for (const auto rule : rules) {
    list_[1] |= facts_[rule].needs;
    list_.push_back(always_list || !facts_[rule].plain ? record_word(records_.of(rule), facts_[rule])
                                                       : rule_word(rule, facts_[rule]));
  }
  return list_reference(intern());
}

std::uint32_t Lists::intern() {
  const auto key = hash(list_);
  for (auto [place, end] = places_.equal_range(key); place != end; ++place)
    if (std::equal(list_.begin(), list_.end(), words_.begin() + place->second,
                   words_.begin() + std::min<std::ptrdiff_t>(place->second + std::ssize(list_), std::ssize(words_))))
      return place->second;
  const auto first = static_cast<std::uint32_t>(words_.size());
  words_.insert(words_.end(), list_.begin(), list_.end());
  places_.emplace(key, first);
  return first;
}

}  // namespace sonde::guard
