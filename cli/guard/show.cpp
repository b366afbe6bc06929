// SPDX-License-Identifier: Apache-2.0
// Commands that look.
#include <csignal>
#include <ctime>
#include <optional>
#include <thread>

#include "commands.hpp"
#include "guard/options.hpp"
#include "guard/render.hpp"
#include "signals.hpp"
#include "words.hpp"

namespace sonde::cli {
namespace {

Result<void> check_output(const std::string& word, std::initializer_list<const char*> known) {
  std::string names;
  for (const char* name : known) {
    if (word == name) return {};
    names += (names.empty() ? "" : ", ") + std::string(name);
  }
  return fail(ErrorKind::usage, "-o '" + word + "': expected one of " + names);
}

/// Sleeps that a signal ends.
class Pauses {
 public:
  void stop() noexcept { stopped_ = 1; }
  /// False: it was ended.
  [[nodiscard]] bool pause(std::chrono::nanoseconds time) const {
    constexpr std::chrono::milliseconds slice{20};
    const auto end = std::chrono::steady_clock::now() + time;
    while (stopped_ == 0 && std::chrono::steady_clock::now() < end)
      std::this_thread::sleep_for(std::min<std::chrono::nanoseconds>(slice, end - std::chrono::steady_clock::now()));
    return stopped_ == 0;
  }

 private:
  volatile std::sig_atomic_t stopped_ = 0;
};

struct StatsOptions {
  std::chrono::nanoseconds interval{};
  std::uint64_t count = 0;
  std::size_t top = 20;
};

Result<StatsOptions> read_options(const GuardWords& words) {
  StatsOptions options;
  if (auto known = check_output(words.output, {"text", "json"}); !known) return std::unexpected(known.error());
  if (words.interval) {
    const auto interval = parse_duration("--interval", *words.interval);
    if (!interval) return std::unexpected(interval.error());
    options.interval = *interval;
  }
  if (words.count) {
    if (!words.interval) return fail(ErrorKind::usage, "-c: expected --interval with it");
    const auto count = parse_number("-c", *words.count);
    if (!count) return std::unexpected(count.error());
    if (*count == 0) return fail(ErrorKind::usage, "-c '0': expected at least 1");
    options.count = *count;
  }
  if (!words.top) return options;
  const auto top = parse_number("--top", *words.top);
  if (!top) return std::unexpected(top.error());
  options.top = *top;
  return options;
}

void render(const Environment& env, const GuardWords& words, const GuardStats& stats, const GuardStats* before,
            std::size_t top) {
  if (words.output == "json")
    render_stats_json(env.out, stats, before);
  else
    render_stats(env.out, stats, before, top);
  env.out.flush();
}

int repeat(const Environment& env, const Guard& guard, const GuardWords& words, const StatsOptions& options) {
  Pauses pauses;
  const StopOnSignals signals(pauses);
  auto before = guard.stats();
  if (!before) return report(env, before.error());
  for (std::uint64_t done = 0; (options.count == 0 || done < options.count) && env.out.good(); ++done) {
    if (!pauses.pause(options.interval)) return well;
    auto stats = guard.stats();
    if (!stats) return report(env, stats.error());
    if (done > 0 && words.output == "text") env.out << '\n';
    render(env, words, *stats, &*before, options.top);
    before = std::move(stats);
  }
  return well;
}

}  // namespace

int run_list(const Environment& env, const GuardCommand&, const GuardWords& words) {
  if (auto known = check_output(words.output, {"text", "json", "rules"}); !known) return report(env, known.error());
  auto guard = Guard::open();
  if (!guard) return report(env, guard.error());
  const auto entries = guard->list();
  if (!entries) return report(env, entries.error());
  if (words.output == "json")
    render_list_json(env.out, *entries);
  else if (words.output == "rules")
    render_rules(env.out, *entries);
  else
    render_list(env.out, *entries);
  return well;
}

int run_stats(const Environment& env, const GuardCommand&, const GuardWords& words) {
  const auto options = read_options(words);
  if (!options) return report(env, options.error());
  auto guard = Guard::open();
  if (!guard) return report(env, guard.error());
  if (words.interval) return repeat(env, *guard, words, *options);
  const auto stats = guard->stats();
  if (!stats) return report(env, stats.error());
  render(env, words, *stats, nullptr, options->top);
  return well;
}

}  // namespace sonde::cli
