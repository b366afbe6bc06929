// SPDX-License-Identifier: Apache-2.0
#include "stats/stats.hpp"

#include <atomic>
#include <memory>
#include <thread>

#include "ledger.hpp"
#include "screen.hpp"
#include "signals.hpp"
#include "stats/options.hpp"
#include "stats/render.hpp"

namespace sonde::cli {
namespace {

using Clock = std::chrono::steady_clock;

struct Waiting {
  std::atomic<bool> stopped{false};

  void stop() { stopped.store(true, std::memory_order_relaxed); }
  void until(Clock::time_point when) const {
    constexpr std::chrono::milliseconds soon{20};
    while (!stopped.load(std::memory_order_relaxed) && Clock::now() < when)
      std::this_thread::sleep_for(std::min<Clock::duration>(soon, when - Clock::now()));
  }
};

/// Where samples go: a screen that is drawn again, or one after the other.
class Shown {
 public:
  Shown(const Environment& env, const StatsRun& run, Waiting& waiting) : env_(env), run_(run) {
    if (env.out_is_terminal && !run.json && run.count != 1)
      screen_ = std::make_unique<Screen>([&waiting] { waiting.stop(); });
    else
      signals_ = std::make_unique<StopOnSignals<Waiting>>(waiting);
  }

  void show(const TrafficStats& total, const TrafficStats& interval) {
    const StatsStyle style{env_.out_is_terminal ? screen_size(1).columns : 0, run_.color};
    const auto text = run_.json ? stats_json(total, interval) : stats_text(total, interval, style);
    if (screen_) {
      screen_->draw(text);
      last_ = text;
      return;
    }
    env_.out << (any_ && !run_.json ? "\n" : "") << text;
    env_.out.flush();
    any_ = true;
  }
  // The last one stays on the terminal.
  void finish() {
    screen_.reset();
    env_.out << last_;
    env_.out.flush();
  }
  [[nodiscard]] bool failed() const { return !env_.out; }

 private:
  const Environment& env_;
  const StatsRun& run_;
  std::unique_ptr<Screen> screen_;
  std::unique_ptr<StopOnSignals<Waiting>> signals_;
  std::string last_;
  bool any_ = false;
};

Result<void> watch(StatsMonitor& monitor, const StatsRun& run, const Waiting& waiting, Shown& shown) {
  const auto start = Clock::now();
  auto before = monitor.sample();
  if (!before) return std::unexpected(before.error());
  const bool limited = run.duration.count() != 0;
  for (std::uint64_t taken = 1;; ++taken) {
    auto next = start + static_cast<std::int64_t>(taken) * run.interval;
    if (limited) next = std::min(next, start + run.duration);
    waiting.until(next);
    auto now = monitor.sample();
    if (!now) return std::unexpected(now.error());
    shown.show(*now, difference(*now, *before));
    before = std::move(now);
    const bool late = limited && Clock::now() >= start + run.duration;
    if (late || taken == run.count || waiting.stopped || shown.failed()) return {};
  }
}

}  // namespace

int stats(const Environment& env, std::vector<std::string> arguments) {
  const auto parsed = parse_stats(env, std::move(arguments));
  if (!parsed.run) return parsed.status;
  auto monitor = StatsMonitor::make(parsed.run->options);
  if (!monitor) return report(env, monitor.error());
  const auto notices = monitor->notices();
  print_notices(env.err, notices);
  Waiting waiting;
  Shown shown(env, *parsed.run, waiting);
  const auto done = watch(*monitor, *parsed.run, waiting, shown);
  shown.finish();
  print_notices(env.err, monitor->notices(), notices.size());
  print_ledger(env.err, monitor->loss());
  env.err.flush();
  return done ? static_cast<int>(well) : report(env, done.error());
}

}  // namespace sonde::cli
