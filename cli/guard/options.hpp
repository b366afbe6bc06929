// SPDX-License-Identifier: Apache-2.0
// The words of `sonde guard`: what its commands share.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "option_group.hpp"
#include "sonde/guard.hpp"

namespace sonde::cli {

/// Options of a rule as they were written. The library reads them: it has the one grammar of rules.
struct RuleWords {
  std::vector<std::string> addresses;
  std::optional<std::string> protocol, source_ports, destination_ports, direction, ttl, comment, rate, burst;
  bool dry_run = false;

  /// The words as a line of a rule file has them, behind `verdict`.
  [[nodiscard]] std::vector<std::string> after(const std::vector<std::string>& verdict) const;
  /// The first option that is set; nothing: none is.
  [[nodiscard]] const char* any_option() const;
};

/// Everything that a command of `sonde guard` may be told.
struct GuardWords {
  RuleWords rule;
  std::vector<std::string> interfaces;
  std::string mode = "auto";
  std::optional<std::string> policy;  ///< --default
  std::string output = "text";
  std::string file;
  std::string bare = "block";
  std::optional<std::string> interval, count, top, sample, duration, lines;
  std::optional<std::string> write_file;
  std::vector<std::string> verdicts, rules;
  bool force = false;
  bool plan_only = false;
};

void add_scope_options(OptionGroup& group, RuleWords& words);
void add_life_options(OptionGroup& group, RuleWords& words);
void add_limit_options(OptionGroup& group, RuleWords& words);
void add_force(OptionGroup& group, GuardWords& words);

/// A command of `sonde guard`: a line of the table in guard.cpp.
struct GuardCommand {
  const char* name;
  const char* description;
  const char* footer;
  void (*add_options)(CLI::App& app, GuardWords& words);
  int (*run)(const Environment& env, const GuardCommand& command, const GuardWords& words);
};

// changes.cpp
int run_attach(const Environment& env, const GuardCommand& command, const GuardWords& words);
int run_detach(const Environment& env, const GuardCommand& command, const GuardWords& words);
int run_verdict(const Environment& env, const GuardCommand& command, const GuardWords& words);
int run_default(const Environment& env, const GuardCommand& command, const GuardWords& words);
int run_remove(const Environment& env, const GuardCommand& command, const GuardWords& words);
int run_apply(const Environment& env, const GuardCommand& command, const GuardWords& words);
int run_clear(const Environment& env, const GuardCommand& command, const GuardWords& words);
// show.cpp
int run_list(const Environment& env, const GuardCommand& command, const GuardWords& words);
int run_stats(const Environment& env, const GuardCommand& command, const GuardWords& words);
// log.cpp
int run_log(const Environment& env, const GuardCommand& command, const GuardWords& words);

}  // namespace sonde::cli
