// SPDX-License-Identifier: Apache-2.0
#include "watch/watch.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "ledger.hpp"
#include "signals.hpp"
#include "watch/options.hpp"

namespace sonde::cli {
namespace {

// Notices grow in several places while it runs.
void print_new_notices(const Environment& env, const std::vector<std::string>& all,
                       const std::vector<std::string>& printed) {
  for (const auto& notice : all)
    if (std::ranges::find(printed, notice) == printed.end()) print_notices(env.err, {notice});
}

void print_end(const Environment& env, const WatchSummary& summary) {
  env.err << fmt::format("\n{} events in {} flows, {:.1f} s", summary.events, summary.flows,
                         std::chrono::duration<double>(summary.duration).count());
  if (summary.left_out > 0) env.err << fmt::format("; {} not shown", summary.left_out);
  if (summary.blocked > 0) env.err << fmt::format("; {} answered by a rule of the guard", summary.blocked);
  env.err << '\n';
  print_ledger(env.err, summary.loss);
  env.err.flush();
}

}  // namespace

int watch(const Environment& env, std::vector<std::string> arguments) {
  auto parsed = parse_watch(env, std::move(arguments));
  if (!parsed.options) return parsed.status;
  auto watch = Watch::make(*parsed.options);
  if (!watch) return report(env, watch.error());
  const StopOnSignals signals(*watch);
  const auto notices = watch->notices();
  print_notices(env.err, notices);
  const auto summary = watch->run();
  print_new_notices(env, watch->notices(), notices);
  print_end(env, summary);
  return summary.error ? report(env, *summary.error) : static_cast<int>(well);
}

}  // namespace sonde::cli
