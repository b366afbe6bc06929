// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "commands.hpp"
#include "guard/options.hpp"
#include "ledger.hpp"
#include "signals.hpp"
#include "words.hpp"

namespace sonde::cli {
namespace {

Result<GuardVerdict> read_verdict(const std::string& word) {
  if (word == "default") return GuardVerdict::default_drop;
  for (const auto verdict : {GuardVerdict::block, GuardVerdict::limit, GuardVerdict::allow, GuardVerdict::never_block})
    if (word == guard_verdict_name(verdict)) return verdict;
  return fail(ErrorKind::usage, "--verdict '" + word + "': expected one of block, limit, default, allow, never");
}

Result<void> take_number(const char* option, const std::optional<std::string>& word, std::uint64_t& to) {
  if (!word) return {};
  const auto number = parse_number(option, *word);
  if (!number) return std::unexpected(number.error());
  if (*number == 0) return fail(ErrorKind::usage, std::string(option) + " '0': expected at least 1");
  to = *number;
  return {};
}

Result<GuardLogOptions> read_options(const GuardWords& words) {
  GuardLogOptions options;
  for (const auto& word : words.verdicts) {
    const auto verdict = read_verdict(word);
    if (!verdict) return std::unexpected(verdict.error());
    options.verdicts.push_back(*verdict);
  }
  for (const auto& word : words.rules) {
    const auto id = parse_number("--rule", word);
    if (!id) return std::unexpected(id.error());
    options.rules.push_back(*id);
  }
  for (const auto& taken :
       {take_number("--sample", words.sample, options.sample), take_number("-c", words.count, options.count)})
    if (!taken) return std::unexpected(taken.error());
  if (words.duration) {
    const auto duration = parse_duration("--duration", *words.duration);
    if (!duration) return std::unexpected(duration.error());
    options.duration = *duration;
  }
  options.write_file = words.write_file.value_or("");
  options.output = words.output == "none" || words.write_file == "-" ? "" : words.output;
  return options;
}

}  // namespace

int run_log(const Environment& env, const GuardCommand&, const GuardWords& words) {
  const auto options = read_options(words);
  if (!options) return report(env, options.error());
  auto log = GuardLog::make(*options);
  if (!log) return report(env, log.error());
  const StopOnSignals signals(*log);
  env.err << "sonde: log: as packets are dropped; Ctrl-C ends\n";
  const auto summary = log->run();
  env.err << fmt::format("\n{} packets in {:.1f} s\n", summary.events,
                         std::chrono::duration<double>(summary.duration).count());
  print_ledger(env.err, summary.loss);
  env.err.flush();
  return summary.error ? report(env, *summary.error) : static_cast<int>(well);
}

}  // namespace sonde::cli
