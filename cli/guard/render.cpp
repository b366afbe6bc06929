// SPDX-License-Identifier: Apache-2.0
#include "guard/render.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <string>

namespace sonde::cli {
namespace {

std::int64_t wall_now() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::string bytes_text(std::uint64_t bytes) {
  constexpr const char* units[] = {"", "K", "M", "G", "T"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 10'000 && unit + 1 < std::size(units); ++unit) value /= 1024;
  return unit == 0 ? std::to_string(bytes) : fmt::format("{:.1f}{}", value, units[unit]);
}

// "9m58s", "2h05m", "3d04h"; rounded up, so that nothing that is left reads 0s.
std::string left_text(const GuardRule& rule, std::int64_t now) {
  if (rule.expires_wall_ns == 0) return "never";
  const auto seconds = (std::max<std::int64_t>(rule.expires_wall_ns - now, 1) + 999'999'999) / 1'000'000'000;
  if (seconds < 60) return fmt::format("{}s", seconds);
  if (seconds < 3600) return fmt::format("{}m{:02}s", seconds / 60, seconds % 60);
  if (seconds < 86400) return fmt::format("{}h{:02}m", seconds / 3600, seconds / 60 % 60);
  return fmt::format("{}d{:02}h", seconds / 86400, seconds / 3600 % 24);
}

using Row = std::vector<std::string>;

// Columns as wide as what is in them; those of `right` end at the same place. The last one ends where it ends.
void render_table(std::ostream& out, const std::vector<Row>& rows, const std::vector<bool>& right) {
  std::vector<std::size_t> widths(right.size());
  for (const auto& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (i > 0) line += "  ";
      line += right[i] ? fmt::format("{:>{}}", row[i], widths[i]) : fmt::format("{:<{}}", row[i], widths[i]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out << line << '\n';
  }
}

// Comments are of whoever wrote them, and a terminal obeys control characters; the grammar has none, UTF-8 stays.
std::string json_text(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    if (static_cast<unsigned char>(c) < 0x20)
      quoted += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
    else
      quoted += c;
  }
  return quoted + '"';
}

std::string json_rule(const GuardEntry& entry, std::int64_t now) {
  const auto& rule = entry.rule;
  auto text = fmt::format(R"("id":{},"verdict":{},"what":{},"dry_run":{},"packets":{},"bytes":{})", rule.id,
                          json_text(guard_verdict_name(rule.verdict)), json_text(rule.what()), rule.dry_run,
                          entry.hits.packets, entry.hits.bytes);
  if (rule.verdict == GuardVerdict::limit)
    text += fmt::format(R"(,"passed_packets":{},"passed_bytes":{})", entry.passed.packets, entry.passed.bytes);
  if (rule.expires_wall_ns != 0)
    text += fmt::format(R"(,"expires_in":{:.3f})", static_cast<double>(rule.expires_wall_ns - now) / 1e9);
  return text + fmt::format(R"(,"comment":{},"words":{})", json_text(rule.comment), json_text(rule.text(now)));
}

// RFC 3339, UTC, nanoseconds.
std::string time_text(std::int64_t wall_ns) {
  constexpr std::int64_t second = 1'000'000'000;
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:09}Z", fmt::gmtime(static_cast<std::time_t>(wall_ns / second)),
                     wall_ns % second);
}

double seconds_between(const GuardStats& stats, const GuardStats& before) {
  return std::max(1e-9, static_cast<double>(stats.wall_ns - before.wall_ns) / 1e9);
}

// Packets a second since `before`, "" where there is none.
std::string rate_text(std::uint64_t now, std::uint64_t before, double seconds) {
  return fmt::format("{:.0f}", static_cast<double>(now - std::min(now, before)) / seconds);
}

std::map<std::uint64_t, std::uint64_t> packets_by_rule(const GuardStats& stats) {
  std::map<std::uint64_t, std::uint64_t> packets;
  for (const auto& entry : stats.rules) packets.emplace(entry.rule.id, entry.hits.packets);
  return packets;
}

std::uint64_t packets_of(const GuardStats& stats, const std::string& outcome) {
  const auto found = std::ranges::find(stats.outcomes, outcome, &GuardOutcome::name);
  return found == stats.outcomes.end() ? 0 : found->count.packets;
}

void render_outcomes(std::ostream& out, const GuardStats& stats, const GuardStats* before) {
  std::vector<Row> rows{{"OUTCOME", "PACKETS", "BYTES"}};
  if (before != nullptr) rows.front().emplace_back("PACKETS/S");
  const auto add = [&](const std::string& name, const GuardCount& count, std::uint64_t earlier) {
    rows.push_back({name, std::to_string(count.packets), bytes_text(count.bytes)});
    if (before != nullptr) rows.back().push_back(rate_text(count.packets, earlier, seconds_between(stats, *before)));
  };
  for (const auto& outcome : stats.outcomes)
    if (outcome.count.packets > 0)
      add(outcome.name, outcome.count, before == nullptr ? 0 : packets_of(*before, outcome.name));
  add("all", stats.packets, before == nullptr ? 0 : before->packets.packets);
  render_table(out, rows, {false, true, true, true});
}

void render_rule_counts(std::ostream& out, const GuardStats& stats, const GuardStats* before, std::size_t top) {
  std::vector<const GuardEntry*> entries;
  for (const auto& entry : stats.rules)
    if (entry.hits.packets + entry.passed.packets > 0) entries.push_back(&entry);
  std::ranges::stable_sort(entries, std::ranges::greater{},
                           [](const GuardEntry* entry) { return entry->hits.packets; });
  const auto shown = top == 0 ? entries.size() : std::min(top, entries.size());
  const auto earlier = before == nullptr ? std::map<std::uint64_t, std::uint64_t>{} : packets_by_rule(*before);
  std::vector<Row> rows{{"RULE", "VERDICT", "HITS", "BYTES", "PASSED"}};
  if (before != nullptr) rows.front().emplace_back("HITS/S");
  rows.front().emplace_back("WHAT");
  for (std::size_t i = 0; i < shown; ++i) {
    const auto& [rule, hits, passed] = *entries[i];
    const bool limits = rule.verdict == GuardVerdict::limit;
    rows.push_back({std::to_string(rule.id), guard_verdict_name(rule.verdict), std::to_string(hits.packets),
                    bytes_text(hits.bytes), limits ? std::to_string(passed.packets) : "-"});
    const auto known = earlier.find(rule.id);
    if (before != nullptr)
      rows.back().push_back(
          rate_text(hits.packets, known == earlier.end() ? 0 : known->second, seconds_between(stats, *before)));
    rows.back().push_back(rule.what());
  }
  if (shown == 0) return;
  out << '\n';
  std::vector<bool> right{true, false, true, true, true, true};
  right.resize(rows.front().size(), false);
  right.back() = false;
  render_table(out, rows, right);
  if (shown < entries.size()) out << "... and " << entries.size() - shown << " more that hit; --top 0 shows all\n";
}

}  // namespace

std::string describe(const GuardInterface& interface) {
  if (interface.gone) return fmt::format("interface {} is gone", interface.ifindex);
  const auto by = [](const std::string& hook) { return hook.empty() ? std::string("nothing") : hook; };
  return fmt::format("{}: in by {}, out by {}", interface.name, by(interface.receive), by(interface.send));
}

void render_list(std::ostream& out, const std::vector<GuardEntry>& entries) {
  const auto now = wall_now();
  std::vector<Row> rows{{"ID", "VERDICT", "WHAT", "HITS", "BYTES", "EXPIRES IN", "COMMENT"}};
  for (const auto& [rule, hits, passed] : entries)
    rows.push_back({std::to_string(rule.id), guard_verdict_name(rule.verdict), rule.what(),
                    std::to_string(hits.packets), bytes_text(hits.bytes), left_text(rule, now), rule.comment});
  render_table(out, rows, {true, false, false, true, true, true, false});
}

void render_list_json(std::ostream& out, const std::vector<GuardEntry>& entries) {
  const auto now = wall_now();
  for (const auto& entry : entries) out << R"({"type":"guard_rule",)" << json_rule(entry, now) << "}\n";
}

void render_rules(std::ostream& out, const std::vector<GuardEntry>& entries) {
  const auto now = wall_now();
  for (const auto& entry : entries) out << entry.rule.text(now) << '\n';
}

void render_stats(std::ostream& out, const GuardStats& stats, const GuardStats* before, std::size_t top) {
  for (const auto& interface : stats.interfaces) out << describe(interface) << '\n';
  out << fmt::format("{} rule{}, {} bytes of kernel memory\n\n", stats.rules.size(), stats.rules.size() == 1 ? "" : "s",
                     bytes_text(stats.rule_bytes));
  render_outcomes(out, stats, before);
  render_rule_counts(out, stats, before, top);
  if (stats.unlimited > 0)
    out << fmt::format("{} packets passed a limit because its table of addresses was full\n", stats.unlimited);
  if (!stats.balanced()) out << "the counts by rule and by outcome DIFFER\n";
}

void render_stats_json(std::ostream& out, const GuardStats& stats, const GuardStats* before) {
  out << fmt::format(R"({{"type":"guard_stats","time":"{}","packets":{},"bytes":{},"interfaces":[)",
                     time_text(stats.wall_ns), stats.packets.packets, stats.packets.bytes);
  const char* comma = "";
  for (const auto& interface : stats.interfaces) {
    out << comma
        << fmt::format(R"({{"name":{},"ifindex":{},"receive":{},"send":{},"gone":{}}})", json_text(interface.name),
                       interface.ifindex, json_text(interface.receive), json_text(interface.send), interface.gone);
    comma = ",";
  }
  out << R"(],"outcomes":{)";
  comma = "";
  for (const auto& outcome : stats.outcomes) {
    out << comma << json_text(outcome.name)
        << fmt::format(R"(:{{"packets":{},"bytes":{},"dropped":{})", outcome.count.packets, outcome.count.bytes,
                       outcome.dropped);
    if (before != nullptr)
      out << R"(,"packets_per_second":)"
          << rate_text(outcome.count.packets, packets_of(*before, outcome.name), seconds_between(stats, *before));
    out << '}';
    comma = ",";
  }
  out << R"(},"rules":[)";
  comma = "";
  for (const auto& entry : stats.rules) {
    out << comma << '{' << json_rule(entry, stats.wall_ns) << '}';
    comma = ",";
  }
  out << R"(],"retired":{)";
  comma = "";
  for (std::size_t i = 0; i < stats.retired.size(); ++i) {
    out << comma << json_text(guard_verdict_name(static_cast<GuardVerdict>(i))) << ':' << stats.retired[i].packets;
    comma = ",";
  }
  out << fmt::format(R"(,"limit_dropped":{}}},"unlimited":{},"rule_bytes":{},"balanced":{}}})",
                     stats.retired_limited.packets, stats.unlimited, stats.rule_bytes, stats.balanced())
      << '\n';
}

}  // namespace sonde::cli
