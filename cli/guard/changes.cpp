// SPDX-License-Identifier: Apache-2.0
// Commands that change the guard.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <iostream>

#include "commands.hpp"
#include "guard/options.hpp"
#include "guard/render.hpp"
#include "words.hpp"

namespace sonde::cli {
namespace {

using Rules = std::vector<GuardRule>;

int wrong(const Environment& env, const std::string& message) {
  return report(env, Error{ErrorKind::usage, 0, message, {}});
}

GuardChangeOptions change_options(const GuardWords& words) {
  GuardChangeOptions options;
  options.force = words.force;
  options.plan_only = words.plan_only;
  return options;
}

void print_lines(const Environment& env, const GuardChange& change) {
  for (const auto& notice : change.notices) env.err << "sonde: warning: " << notice << '\n';
  for (const auto& line : change.lines) env.out << line << '\n';
  if (change.lines_left_out > 0) env.out << "... and " << change.lines_left_out << " more\n";
}

void print_totals(const Environment& env, const GuardChange& change, bool plan_only) {
  env.out << fmt::format("{}{} added, {} removed, {} changed, {} kept", plan_only ? "would be: " : "", change.added,
                         change.removed, change.changed, change.kept);
  if (change.expired > 0) env.out << fmt::format(", {} expired", change.expired);
  env.out << '\n';
}

int finish(const Environment& env, const Result<GuardChange>& change, bool plan_only = false) {
  if (!change) return report(env, change.error());
  print_lines(env, *change);
  print_totals(env, *change, plan_only);
  return well;
}

std::int64_t wall_now() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
}

// What was added, a line each with its id, in the words that were read at `now`.
int finish_add(const Environment& env, const Rules& rules, const Result<GuardChange>& change, std::int64_t now) {
  if (!change) return report(env, change.error());
  for (const auto& notice : change->notices) env.err << "sonde: warning: " << notice << '\n';
  for (std::size_t i = 0; i < rules.size(); ++i)
    env.out << fmt::format("rule {}: {}\n", change->ids[i], rules[i].text(now));
  return well;
}

// The policies of the words, one an interface where interfaces are named.
Result<Rules> policies(const GuardWords& words) {
  Rules rules;
  const auto interfaces = words.interfaces.empty() ? std::vector<std::string>{""} : words.interfaces;
  for (const auto& interface : interfaces) {
    auto rule_words = words.rule;
    rule_words.addresses.clear();
    auto line = rule_words.after({"default", "drop"});
    if (!interface.empty()) line.insert(line.end(), {"--interface", interface});
    auto parsed = parse_guard_rule(line);
    if (!parsed) return parsed;
    rules.insert(rules.end(), parsed->begin(), parsed->end());
  }
  return rules;
}

bool same_scope(const GuardRule& a, const GuardRule& b) {
  return a.protocol == b.protocol && a.source_ports == b.source_ports && a.destination_ports == b.destination_ports &&
         a.direction == b.direction && a.interface == b.interface;
}

// Removes the default drops of the scope; of every scope where none is given.
Result<GuardChange> remove_policies(Guard& guard, const GuardWords& words, const Rules& scopes) {
  const bool all = words.interfaces.empty() && words.rule.any_option() == nullptr;
  const auto entries = guard.list();
  if (!entries) return std::unexpected(entries.error());
  std::vector<std::uint64_t> ids;
  for (const auto& [rule, hits, passed] : *entries) {
    if (rule.verdict != GuardVerdict::default_drop) continue;
    if (all || std::ranges::any_of(scopes, [&](const GuardRule& scope) { return same_scope(scope, rule); }))
      ids.push_back(rule.id);
  }
  if (ids.empty() && !all)
    return fail(ErrorKind::failed, "there is no '" + scopes.front().text() + "'", "`sonde guard list`");
  return guard.remove(ids, {}, change_options(words));
}

int set_policy(const Environment& env, Guard& guard, const GuardWords& words, const std::string& policy,
               const Rules& rules) {
  if (policy == "pass") return finish(env, remove_policies(guard, words, rules));
  return finish_add(env, rules, guard.add(rules, change_options(words)), wall_now());
}

bool is_policy(const std::string& word) { return word == "drop" || word == "pass"; }

}  // namespace

int run_attach(const Environment& env, const GuardCommand&, const GuardWords& words) {
  if (words.policy && !is_policy(*words.policy))
    return wrong(env, "--default '" + *words.policy + "': expected drop or pass");
  if (const char* option = words.rule.any_option(); option != nullptr && !words.policy)
    return wrong(env, std::string(option) + ": the scope of a default policy; expected --default with it");
  const auto rules = words.policy ? policies(words) : Rules{};
  if (!rules) return report(env, rules.error());
  auto guard = Guard::open();
  if (!guard) return report(env, guard.error());
  const auto attached = guard->attach({words.interfaces, words.mode, words.force});
  if (!attached) return report(env, attached.error());
  for (const auto& interface : *attached) {
    for (const auto& notice : interface.notices) env.err << "sonde: " << interface.name << ": " << notice << '\n';
    env.out << describe(interface) << '\n';
  }
  return words.policy ? set_policy(env, *guard, words, *words.policy, *rules) : static_cast<int>(well);
}

int run_detach(const Environment& env, const GuardCommand&, const GuardWords& words) {
  auto guard = Guard::open();
  if (!guard) return report(env, guard.error());
  const auto detached = guard->detach(words.interfaces);
  if (!detached) return report(env, detached.error());
  if (!*detached) env.err << "sonde: the guard was not attached\n";
  return well;
}

int run_verdict(const Environment& env, const GuardCommand& command, const GuardWords& words) {
  const auto now = wall_now();
  const auto rules = parse_guard_rule(words.rule.after({command.name}), now);
  if (!rules) return report(env, rules.error());
  auto guard = Guard::open();
  if (!guard) return report(env, guard.error());
  return finish_add(env, *rules, guard->add(*rules, change_options(words)), now);
}

int run_default(const Environment& env, const GuardCommand&, const GuardWords& words) {
  const auto& policy = words.rule.addresses.front();
  if (!is_policy(policy)) return wrong(env, "default '" + policy + "': expected drop or pass");
  const auto rules = policies(words);
  if (!rules) return report(env, rules.error());
  auto guard = Guard::open();
  if (!guard) return report(env, guard.error());
  return set_policy(env, *guard, words, policy, *rules);
}

namespace {

struct Removal {
  std::vector<std::uint64_t> ids;
  std::vector<GuardNetwork> networks;  ///< of whatever rule
  Rules rules;
};

bool is_verdict(const std::string& word) {
  return word == "block" || word == "allow" || word == "never" || word == "limit" || word == "default";
}

Result<Removal> read_rule(const GuardWords& words) {
  auto line = words.rule.after({});
  // Which limit it is does not hang on its rate.
  if (line.front() == "limit" && !words.rule.rate) line.insert(line.end(), {"--rate", "1pps"});
  for (const auto& interface : words.interfaces) line.insert(line.end(), {"--interface", interface});
  auto rules = parse_guard_rule(line);
  if (!rules) return std::unexpected(rules.error());
  return Removal{{}, {}, std::move(*rules)};
}

Result<Removal> read_removal(const GuardWords& words) {
  if (is_verdict(words.rule.addresses.front())) return read_rule(words);
  if (const char* option = words.rule.any_option(); option != nullptr)
    return fail(ErrorKind::usage,
                std::string(option) + ": expected the verdict too: remove block ADDRESS " + option + " ...");
  Removal removal;
  for (const auto& word : words.rule.addresses) {
    if (word.find_first_not_of("0123456789") == std::string::npos) {
      const auto id = parse_number("rule", word);
      if (!id) return std::unexpected(id.error());
      removal.ids.push_back(*id);
      continue;
    }
    const auto network = parse_guard_network(word);
    if (!network) return fail(ErrorKind::usage, "'" + word + "': expected an id, an address, or the words of a rule");
    removal.networks.push_back(*network);
  }
  return removal;
}

// Every rule of the networks.
Result<void> find_networks(const Guard& guard, Removal& removal) {
  if (removal.networks.empty()) return {};
  const auto entries = guard.list();
  if (!entries) return std::unexpected(entries.error());
  for (const auto& network : removal.networks) {
    const auto before = removal.ids.size();
    for (const auto& [rule, hits, passed] : *entries)
      if (rule.network == network && rule.verdict != GuardVerdict::default_drop) removal.ids.push_back(rule.id);
    if (removal.ids.size() == before) {
      GuardRule named;
      named.network = network;
      return fail(ErrorKind::failed, "there is no rule of " + named.what(), "`sonde guard list`");
    }
  }
  return {};
}

std::string file_name(const std::string& path) { return path == "-" ? "standard input" : path; }

Result<std::string> read_file(const std::string& path) {
  std::ifstream file;
  if (path != "-") file.open(path, std::ios::binary);
  if (!file) return fail_errno("cannot read " + path);
  std::istream& from = path == "-" ? std::cin : file;
  std::string text;
  for (char part[65536]; from.read(part, sizeof(part)) || from.gcount() > 0;)
    text.append(part, static_cast<std::size_t>(from.gcount()));
  if (from.bad()) return fail_errno("cannot read " + file_name(path));  // a folder can be opened
  return text;
}

Result<Rules> read_rules(const std::string& path, GuardVerdict bare) {
  const auto text = read_file(path);
  if (!text) return std::unexpected(text.error());
  auto rules = parse_guard_rules(*text, bare);
  if (!rules) rules.error().message = file_name(path) + ": " + rules.error().message;
  return rules;
}

Result<GuardVerdict> read_bare(const std::string& word) {
  for (const auto verdict : {GuardVerdict::block, GuardVerdict::allow, GuardVerdict::never_block})
    if (word == guard_verdict_name(verdict)) return verdict;
  return fail(ErrorKind::usage, "--verdict '" + word + "': expected one of block, allow, never");
}

}  // namespace

int run_remove(const Environment& env, const GuardCommand&, const GuardWords& words) {
  auto removal = read_removal(words);
  if (!removal) return report(env, removal.error());
  auto guard = Guard::open();
  if (!guard) return report(env, guard.error());
  if (const auto found = find_networks(*guard, *removal); !found) return report(env, found.error());
  return finish(env, guard->remove(removal->ids, removal->rules, change_options(words)));
}

int run_apply(const Environment& env, const GuardCommand&, const GuardWords& words) {
  const auto bare = read_bare(words.bare);
  if (!bare) return report(env, bare.error());
  auto options = change_options(words);
  options.most_lines = 10;
  if (words.lines) {
    const auto lines = parse_number("--lines", *words.lines);
    if (!lines) return report(env, lines.error());
    options.most_lines = *lines;
  }
  const auto rules = read_rules(words.file, *bare);
  if (!rules) return report(env, rules.error());
  auto guard = Guard::open();
  if (!guard) return report(env, guard.error());
  return finish(env, guard->apply(*rules, options), words.plan_only);
}

int run_clear(const Environment& env, const GuardCommand&, const GuardWords& words) {
  auto guard = Guard::open();
  if (!guard) return report(env, guard.error());
  auto options = change_options(words);
  options.most_lines = 0;
  const auto change = guard->clear(options);
  if (!change) return report(env, change.error());
  for (const auto& notice : change->notices) env.err << "sonde: warning: " << notice << '\n';
  env.out << fmt::format("{} removed\n", change->removed);
  return well;
}

}  // namespace sonde::cli
