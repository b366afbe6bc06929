// SPDX-License-Identifier: Apache-2.0
#include "actuators/guard/session.hpp"

#include <net/if.h>

#include <array>

#include "actuators/guard/cutoff.hpp"
#include "actuators/guard/directory.hpp"
#include "actuators/guard/interfaces.hpp"
#include "actuators/guard/model/decide.hpp"
#include "kernel/interfaces.hpp"
#include "kernel/object.hpp"
#include "kernel/pins.hpp"

namespace sonde::guard {
namespace {

Error not_attached() {
  const auto ifindex = kernel::default_route_interface();
  std::array<char, IF_NAMESIZE> name{};
  const bool named = ifindex && ::if_indextoname(*ifindex, name.data()) != nullptr;
  return {ErrorKind::failed, 0, "the guard is not attached",
          "`sonde guard attach -i " + std::string(named ? name.data() : "INTERFACE") + "` first"};
}

Result<Fd> lock_attached(const std::string& directory) {
  auto lock = lock_directory(directory, false);
  if (lock && (!*lock || guarded_interfaces(directory).empty())) return std::unexpected(not_attached());
  return lock;
}

Result<sonde_guard_totals> read_totals(const std::string& directory) {
  const auto map = kernel::open_pin(directory + "/totals");
  if (!map) return std::unexpected(map.error());
  const std::uint32_t key = 0;
  return kernel::sum_per_cpu<sonde_guard_totals>(map->get(), &key);
}

bool expired(const GuardRule& rule, const Clocks& clocks) {
  return rule.expires_wall_ns != 0 && rule.expires_wall_ns <= clocks.wall_ns;
}

GuardCount difference(const GuardCount& a, const GuardCount& b) { return {a.packets - b.packets, a.bytes - b.bytes}; }

void add(GuardCount& to, const GuardCount& count) {
  to.packets += count.packets;
  to.bytes += count.bytes;
}

GuardEntry entry_of(const GuardRule& rule, const BlobView& view, std::uint32_t place) {
  const auto count = view.count(place);
  if (rule.verdict != GuardVerdict::limit) return {rule, count, {}};
  const auto limited = view.limited(place);
  return {rule, limited, difference(count, limited)};
}

/// The rule set as it stands, and what its counters say.
struct Reading {
  Clocks clocks;
  std::vector<GuardRule> rules;
  BlobView view;
};

Result<Reading> read(const InstalledRules& installed) {
  const auto clocks = Clocks::now();
  auto set = installed.rules(clocks);
  if (!set) return std::unexpected(set.error());
  const auto view = installed.view();
  if (!view) return std::unexpected(view.error());
  return Reading{clocks, std::move(set->rules), *view};
}

// What has expired is no entry; what it decided is added to the retired counts where they are asked for.
std::vector<GuardEntry> entries(const Reading& reading, GuardStats* retired) {
  std::vector<GuardEntry> entries;
  entries.reserve(reading.rules.size());
  for (std::uint32_t place = 0; place < reading.rules.size(); ++place) {
    auto entry = entry_of(reading.rules[place], reading.view, place);
    if (!expired(entry.rule, reading.clocks)) {
      entries.push_back(std::move(entry));
    } else if (retired != nullptr && !entry.rule.dry_run) {
      const bool limits = entry.rule.verdict == GuardVerdict::limit;
      add(retired->retired[static_cast<std::size_t>(entry.rule.verdict)], limits ? entry.passed : entry.hits);
      if (limits) add(retired->retired_limited, entry.hits);
    }
  }
  return entries;
}

std::uint64_t packets_of(const sonde_guard_totals& totals) {
  std::uint64_t packets = 0;
  for (const auto& outcome : totals.outcomes) packets += outcome.packets;
  return packets;
}

void take_outcomes(const sonde_guard_totals& totals, GuardStats& stats) {
  for (std::uint32_t i = 0; i < SONDE_GUARD_OUTCOMES; ++i) {
    const auto outcome = static_cast<sonde_guard_outcome>(i);
    const GuardCount count{totals.outcomes[i].packets, totals.outcomes[i].bytes};
    stats.outcomes.push_back({outcome_name(outcome), outcome_drops(outcome), count});
    add(stats.packets, count);
  }
  stats.unlimited = totals.unlimited;
}

}  // namespace

Result<GuardChange> change(const std::string& directory, const GuardChangeOptions& options, const Planner& planner) {
  const auto lock = lock_attached(directory);
  if (!lock) return std::unexpected(lock.error());
  auto installed = InstalledRules::open(directory);
  if (!installed) return std::unexpected(installed.error());
  const auto clocks = Clocks::now();
  const auto from = installed->rules(clocks);
  if (!from) return std::unexpected(from.error());
  auto plan = planner(*from, {clocks.wall_ns, options.most_lines});
  if (!plan) return std::unexpected(plan.error());
  const auto cut_off = find_cut_off(plan->to.rules, work_connections(), guarded_names(directory), clocks.wall_ns);
  if (!options.force && !options.plan_only)
    if (auto refused = refuse_cut_off(cut_off); !refused) return std::unexpected(refused.error());
  if (!cut_off.empty()) plan->change.notices.push_back(describe(cut_off.front()));
  if (options.plan_only || plan->same) return std::move(plan->change);
  if (auto replaced = installed->replace(plan->to, clocks); !replaced) return std::unexpected(replaced.error());
  return std::move(plan->change);
}

Result<std::vector<GuardEntry>> list(const std::string& directory) {
  const auto lock = lock_attached(directory);
  if (!lock) return std::unexpected(lock.error());
  const auto installed = InstalledRules::open(directory);
  if (!installed) return std::unexpected(installed.error());
  const auto reading = read(*installed);
  if (!reading) return std::unexpected(reading.error());
  return entries(*reading, nullptr);
}

Result<GuardStats> stats(const std::string& directory) {
  const auto lock = lock_attached(directory);
  if (!lock) return std::unexpected(lock.error());
  const auto installed = InstalledRules::open(directory);
  if (!installed) return std::unexpected(installed.error());
  const auto reading = read(*installed);
  if (!reading) return std::unexpected(reading.error());
  GuardStats stats;
  stats.interfaces = guarded_interfaces(directory);
  stats.rule_bytes = installed->bytes();
  const auto header = installed->store();
  stats.retired = header.retired;
  stats.retired_limited = header.retired_limited;
  const auto before = read_totals(directory);
  if (!before) return std::unexpected(before.error());
  stats.rules = entries(*reading, &stats);
  const auto after = read_totals(directory);
  if (!after) return std::unexpected(after.error());
  take_outcomes(*after, stats);
  // A program that is running has counted its rule and not yet its outcome.
  const auto came = packets_of(*after) - packets_of(*before);
  stats.moving = came == 0 ? 0 : came + static_cast<std::uint64_t>(kernel::possible_cpus());
  stats.wall_ns = Clocks::now().wall_ns;
  return stats;
}

}  // namespace sonde::guard
