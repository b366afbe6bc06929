// SPDX-License-Identifier: Apache-2.0
#include "actuators/guard/plan.hpp"

#include <algorithm>
#include <unordered_set>

#include "actuators/guard/rule_index.hpp"

namespace sonde::guard {
namespace {

bool expired(const GuardRule& rule, std::int64_t now) {
  return rule.expires_wall_ns != 0 && rule.expires_wall_ns <= now;
}

bool same_attributes(const GuardRule& a, const GuardRule& b) {
  return a.expires_wall_ns == b.expires_wall_ns && a.rate == b.rate && a.rate_in_bytes == b.rate_in_bytes &&
         a.burst == b.burst && a.comment == b.comment;
}

/// Collects what a change does, a line each up to a bound.
class Lines {
 public:
  Lines(GuardChange& change, const PlanOptions& options) : change_(change), options_(options) {}

  void tell(char sign, const GuardRule& rule, std::uint64_t& count) {
    if (++count > options_.most_lines)
      ++change_.lines_left_out;
    else
      change_.lines.push_back(std::string(1, sign) + " " + rule.text(options_.now_wall_ns));
  }

 private:
  GuardChange& change_;
  const PlanOptions& options_;
};

// What is there and wanted takes the attributes of the wanted one; false: they are the same already.
bool refresh(GuardRule& rule, const GuardRule& wanted) {
  if (same_attributes(rule, wanted)) return false;
  const auto id = rule.id;
  rule = wanted;
  rule.id = id;
  return true;
}

void finish(Plan& plan) {
  const auto& change = plan.change;
  plan.same = change.added + change.removed + change.changed + change.expired == 0;
}

}  // namespace

Plan plan_add(const RuleSet& from, std::span<const GuardRule> rules, const PlanOptions& options) {
  Plan plan;
  plan.to.next_id = from.next_id;
  plan.to.rules.reserve(from.rules.size() + rules.size());
  RuleIndex index(from.rules.size() + rules.size());
  for (const auto& rule : from.rules) {
    if (expired(rule, options.now_wall_ns)) {
      ++plan.change.expired;
      continue;
    }
    index.find_or_insert(plan.to.rules, rule, static_cast<std::uint32_t>(plan.to.rules.size()));
    plan.to.rules.push_back(rule);
  }
  Lines lines(plan.change, options);
  for (const auto& rule : rules) {
    const auto next = static_cast<std::uint32_t>(plan.to.rules.size());
    const auto place = index.find_or_insert(plan.to.rules, rule, next);
    if (place == RuleIndex::none) {
      plan.to.rules.push_back(rule);
      plan.to.rules.back().id = plan.to.next_id++;
      lines.tell('+', rule, plan.change.added);
    } else if (refresh(plan.to.rules[place], rule)) {
      lines.tell('~', rule, plan.change.changed);
    }
    plan.change.ids.push_back(plan.to.rules[place == RuleIndex::none ? next : place].id);
  }
  plan.change.kept = plan.to.rules.size() - plan.change.added;
  plan.change.kept -= std::min(plan.change.kept, plan.change.changed);
  finish(plan);
  return plan;
}

Result<Plan> plan_remove(const RuleSet& from, std::span<const std::uint64_t> ids, std::span<const GuardRule> rules,
                         const PlanOptions& options) {
  RuleIndex index(rules.empty() ? 0 : from.rules.size());
  std::unordered_set<std::uint64_t> known;
  for (std::uint32_t i = 0; i < from.rules.size(); ++i) {
    if (expired(from.rules[i], options.now_wall_ns)) continue;
    if (!rules.empty()) index.find_or_insert(from.rules, from.rules[i], i);
    if (!ids.empty()) known.insert(from.rules[i].id);
  }
  std::unordered_set<std::uint64_t> gone;
  for (const auto id : ids) {
    if (!known.contains(id))
      return fail(ErrorKind::failed, "there is no rule " + std::to_string(id), "`sonde guard list`");
    gone.insert(id);
  }
  for (const auto& rule : rules) {
    const auto place = index.find(from.rules, rule);
    if (place == RuleIndex::none)
      return fail(ErrorKind::failed, "there is no rule '" + rule.text(options.now_wall_ns) + "'", "`sonde guard list`");
    gone.insert(from.rules[place].id);
  }
  Plan plan;
  plan.to.next_id = from.next_id;
  Lines lines(plan.change, options);
  for (const auto& rule : from.rules) {
    if (expired(rule, options.now_wall_ns))
      ++plan.change.expired;
    else if (gone.contains(rule.id))
      lines.tell('-', rule, plan.change.removed);
    else
      plan.to.rules.push_back(rule);
  }
  plan.change.kept = plan.to.rules.size();
  finish(plan);
  return plan;
}

namespace {

/// The wanted rules without doubles: of several that are the same one, the last counts.
struct Wanted {
  explicit Wanted(std::span<const GuardRule> given) : index(given.size()) {
    rules.reserve(given.size());
    for (const auto& rule : given) {
      const auto place = index.find_or_insert(rules, rule, static_cast<std::uint32_t>(rules.size()));
      if (place == RuleIndex::none)
        rules.push_back(rule);
      else
        rules[place] = rule;
    }
  }
  std::vector<GuardRule> rules;
  RuleIndex index;
};

}  // namespace

Plan plan_apply(const RuleSet& from, std::span<const GuardRule> rules, const PlanOptions& options) {
  Plan plan;
  plan.to.next_id = from.next_id;
  Wanted wanted(rules);
  plan.to.rules.reserve(wanted.rules.size());
  std::vector<bool> is_there(wanted.rules.size());
  Lines lines(plan.change, options);
  for (const auto& rule : from.rules) {
    if (expired(rule, options.now_wall_ns)) {
      ++plan.change.expired;
      continue;
    }
    const auto place = wanted.index.find(wanted.rules, rule);
    if (place == RuleIndex::none) {
      lines.tell('-', rule, plan.change.removed);
      continue;
    }
    is_there[place] = true;
    plan.to.rules.push_back(rule);
    if (refresh(plan.to.rules.back(), wanted.rules[place]))
      lines.tell('~', wanted.rules[place], plan.change.changed);
    else
      ++plan.change.kept;
  }
  for (std::size_t place = 0; place < wanted.rules.size(); ++place) {
    if (is_there[place]) continue;
    plan.to.rules.push_back(wanted.rules[place]);
    plan.to.rules.back().id = plan.to.next_id++;
    lines.tell('+', wanted.rules[place], plan.change.added);
  }
  finish(plan);
  return plan;
}

}  // namespace sonde::guard
