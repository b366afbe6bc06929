// SPDX-License-Identifier: Apache-2.0
#include "guard/guard.hpp"

#include "commands.hpp"
#include "guard/options.hpp"

namespace sonde::cli {
namespace {

constexpr const char* scope_heading = "Which packets (all must hold)";

void attach_options(CLI::App& app, GuardWords& words) {
  OptionGroup group(app, "Where");
  group
      .option("-i,--interface", "NAMES", words.interfaces,
              "Interfaces; default: those it is on, else that of the default route")
      ->delimiter(',');
  group.option("--mode", "MODE", words.mode, "auto, native (XDP), generic (XDP), tc, clsact")->capture_default_str();
  group.option("--default", "POLICY", words.policy, "drop or pass: the default policy, on the interfaces of -i");
  OptionGroup scope(app, "Scope of the default policy");
  add_scope_options(scope, words.rule);
  OptionGroup safety(app, "Safety");
  add_force(safety, words);
}

void detach_options(CLI::App& app, GuardWords& words) {
  OptionGroup group(app, "Where");
  group
      .option("-i,--interface", "NAMES", words.interfaces,
              "From these only; default: from all, with rules and counters")
      ->delimiter(',');
}

void rule_options(CLI::App& app, GuardWords& words) {
  app.add_option("address", words.rule.addresses, "Addresses and networks of both families, or any")
      ->required()
      ->type_name("");
  OptionGroup scope(app, scope_heading);
  add_scope_options(scope, words.rule);
  OptionGroup life(app, "The rule");
  add_life_options(life, words.rule);
  OptionGroup safety(app, "Safety");
  add_force(safety, words);
}

void limit_options(CLI::App& app, GuardWords& words) {
  rule_options(app, words);
  OptionGroup group(app, "The rate");
  add_limit_options(group, words.rule);
}

void default_options(CLI::App& app, GuardWords& words) {
  app.add_option("policy", words.rule.addresses, "drop or pass")->required()->expected(1)->type_name("");
  OptionGroup scope(app, scope_heading);
  add_scope_options(scope, words.rule);
  scope.option("-i,--interface", "NAMES", words.interfaces, "On these interfaces")->delimiter(',');
  OptionGroup life(app, "The rule");
  life.option("--comment", "TEXT", words.rule.comment, "Kept with the rule");
  life.flag("--dry-run", words.rule.dry_run, "Counts what it would drop, and drops nothing");
  OptionGroup safety(app, "Safety");
  add_force(safety, words);
}

void remove_options(CLI::App& app, GuardWords& words) {
  app.add_option("rule", words.rule.addresses, "Ids, addresses, or the words of the rule")->required()->type_name("");
  OptionGroup scope(app, "The words of the rule");
  add_scope_options(scope, words.rule);
  scope.option("-i,--interface", "NAMES", words.interfaces, "Of a default policy")->delimiter(',');
  add_life_options(scope, words.rule);
  add_limit_options(scope, words.rule);
  OptionGroup safety(app, "Safety");
  add_force(safety, words);
}

void apply_options(CLI::App& app, GuardWords& words) {
  app.add_option("file", words.file, "Rules or addresses, one a line; - for standard input")->required()->type_name("");
  OptionGroup group(app, "What it does");
  group.flag("--dry-run", words.plan_only, "Show what would change, and change nothing");
  group.option("--verdict", "VERDICT", words.bare, "Of lines that are an address: block, allow, never")
      ->capture_default_str();
  group.option("--lines", "N", words.lines, "Show at most so many added, removed and changed rules. Default: 10");
  OptionGroup safety(app, "Safety");
  add_force(safety, words);
}

void clear_options(CLI::App& app, GuardWords& words) {
  OptionGroup safety(app, "Safety");
  add_force(safety, words);
}

void list_options(CLI::App& app, GuardWords& words) {
  OptionGroup group(app, "What comes out");
  group.option("-o,--output", "NAME", words.output, "text: a table; json: an object a line; rules: a file for apply")
      ->capture_default_str();
}

void stats_options(CLI::App& app, GuardWords& words) {
  OptionGroup group(app, "What comes out");
  group.option("-o,--output", "NAME", words.output, "text or json")->capture_default_str();
  group.option("--interval", "TIME", words.interval, "Again and again, with rates: 1s, 10s");
  group.option("-c,--count", "N", words.count, "End after so many; needs --interval");
  group.option("--top", "N", words.top, "Rules that hit most; 0: all. Default: 20");
}

void log_options(CLI::App& app, GuardWords& words) {
  OptionGroup which(app, "Which packets");
  which
      .option("--verdict", "VERDICTS", words.verdicts, "Of these: block, limit, default (default: these), allow, never")
      ->delimiter(',');
  which.option("--rule", "IDS", words.rules, "Decided by these rules")->delimiter(',');
  which.option("--sample", "N", words.sample, "One in N, chosen by the kernel; default: all");
  OptionGroup outputs(app, "What comes out");
  outputs.option("-o,--output", "NAME", words.output, "text or json: one line each; none")->capture_default_str();
  outputs.option("-w,--write", "FILE", words.write_file, "pcapng of what was dropped; - for standard output");
  outputs.option("-c,--count", "N", words.count, "End after so many");
  outputs.option("--duration", "TIME", words.duration, "End after this time: 10s, 2m");
}

constexpr GuardCommand table[] = {
    {"attach", "put the guard on interfaces; again: exchange its programs without a gap", "", attach_options,
     run_attach},
    {"detach", "take it off, with rules, counters and pins", "", detach_options, run_detach},
    {"block", "drop packets of addresses",
     "Examples:\n  sonde guard block 192.0.2.0/24 --ttl 10m --comment scan\n"
     "  sonde guard block 2001:db8::7 198.51.100.9 --protocol tcp --dst-port 443",
     rule_options, run_verdict},
    {"allow", "let packets pass, whatever block, limit and default say", "", rule_options, run_verdict},
    {"never", "never block these: asked before all others", "", rule_options, run_verdict},
    {"limit", "drop what is above a rate, by address",
     "Example:\n  sonde guard limit any --protocol udp --dst-port 53 --rate 200pps", limit_options, run_verdict},
    {"default", "what holds where no rule decides: default drop, default pass",
     "Example:\n  sonde guard default drop --protocol tcp --dst-port 8443\n"
     "`default pass` removes the default drop of this scope; without a scope, all of them.",
     default_options, run_default},
    {"remove", "remove rules by id, address or words",
     "Examples:\n  sonde guard remove 3 7\n  sonde guard remove 192.0.2.0/24         whatever is said of it\n"
     "  sonde guard remove block 192.0.2.0/24 --dst-port 443",
     remove_options, run_remove},
    {"list", "the rules, with what they did", "", list_options, run_list},
    {"stats", "packets by outcome and by rule", "", stats_options, run_stats},
    {"apply", "make the rules those of a file, all at once",
     "A line is a rule as on the command line, or an address alone: \"allow 10.0.0.0/8 --dst-port 22\",\n"
     "\"192.0.2.7\", \"default drop --dst-port 8443\"; # begins a comment. Rules that stay keep ids and counters.",
     apply_options, run_apply},
    {"clear", "remove all rules; the hooks stay", "", clear_options, run_clear},
    {"log", "packets as they are dropped", "The ledger on standard error tells what was sampled and what was lost.",
     log_options, run_log},
};

std::string command_list() {
  std::string text = "Commands:\n";
  for (const auto& command : table)
    text += "  " + std::string(command.name) + std::string(10 - std::string(command.name).size(), ' ') +
            command.description + "\n";
  return text +
         "\n`sonde guard COMMAND --help` explains one. A packet is decided by the first class with a rule that\n"
         "matches: never, allow, block, limit, default.";
}

// All options of all commands, each once: what the manual lists.
int print_help(std::ostream& out) {
  CLI::App app{"Drop, limit and allow packets before they reach the host, by rules in the kernel.",
               "sonde guard COMMAND"};
  app.footer(command_list());
  GuardWords words;
  OptionGroup where(app, "attach, detach, default");
  where.option("-i,--interface", "NAMES", words.interfaces, "Interfaces; default: that of the default route");
  where.option("--mode", "MODE", words.mode, "attach: auto, native (XDP), generic (XDP), tc, clsact");
  where.option("--default", "POLICY", words.policy, "attach: drop or pass, the default policy");
  OptionGroup rule(app, "block, allow, never, limit, default, remove");
  add_scope_options(rule, words.rule);
  add_life_options(rule, words.rule);
  add_limit_options(rule, words.rule);
  add_force(rule, words);
  OptionGroup outputs(app, "list, stats, apply, log");
  outputs.option("-o,--output", "NAME", words.output, "text, json; list: rules; log: none");
  outputs.option("--interval", "TIME", words.interval, "stats: again and again, with rates");
  outputs.option("--top", "N", words.top, "stats: rules that hit most");
  outputs.option("--lines", "N", words.lines, "apply: most rules of each kind that are shown");
  outputs.option("--verdict", "VERDICT", words.verdicts, "apply: of plain addresses; log: of these verdicts");
  outputs.option("--rule", "IDS", words.rules, "log: decided by these rules");
  outputs.option("--sample", "N", words.sample, "log: one in N");
  outputs.option("-w,--write", "FILE", words.write_file, "log: pcapng of what was dropped");
  outputs.option("-c,--count", "N", words.count, "stats, log: end after so many");
  outputs.option("--duration", "TIME", words.duration, "log: end after this time");
  out << app.help();
  return well;
}

int run_one(const Environment& env, const GuardCommand& command, std::vector<std::string> arguments) {
  const auto name = std::string("guard ") + command.name;
  CLI::App app{command.description, "sonde " + name};
  app.footer(command.footer);
  GuardWords words;
  command.add_options(app, words);
  if (const auto ended = parse_arguments(env, app, name, std::move(arguments))) return *ended;
  return command.run(env, command, words);
}

std::string names() {
  std::string names;
  for (const auto& command : table) names += (names.empty() ? "" : ", ") + std::string(command.name);
  return names;
}

}  // namespace

int guard(const Environment& env, std::vector<std::string> arguments) {
  if (arguments.empty()) {
    (void)print_help(env.err);
    return usage;
  }
  const auto word = arguments.front();
  if (word == "--help" || word == "-h" || word == "help") return print_help(env.out);
  arguments.erase(arguments.begin());
  for (const auto& command : table)
    if (command.name == word) return run_one(env, command, std::move(arguments));
  env.err << "sonde: guard: no command '" << word << "'; expected one of " << names() << '\n';
  return usage;
}

}  // namespace sonde::cli
