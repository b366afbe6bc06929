// SPDX-License-Identifier: Apache-2.0
#include "watch/responder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>
#include <vector>

#include "actuators/guard/network.hpp"

namespace sonde::watch {
namespace {

constexpr std::int64_t second_ns = 1'000'000'000;
constexpr std::int64_t quiet_ns = 30 * second_ns;
constexpr std::int64_t look_interval_ns = 5 * second_ns;
constexpr std::int64_t show_interval_ns = 60 * second_ns;
// A guard of a million rules takes its time to list them: at most a hundredth of the time goes into that.
constexpr std::int64_t rest_per_look = 100;
// More attacks at a time than that are no work for rules of single addresses.
constexpr std::size_t most_blocked = 1024;
constexpr std::string_view guard_command = "sonde guard ";

std::vector<std::string> words_of(std::string_view text) {
  std::istringstream stream{std::string(text)};
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

}  // namespace

// The rule is what the event says, word by word, but for its TTL: what is printed is what is done.
Result<GuardRule> Responder::rule_for(const SecurityEvent& event) const {
  if (!event.response.starts_with(guard_command)) return fail(ErrorKind::failed, "no rule of the guard helps");
  const auto words = words_of(std::string_view(event.response).substr(guard_command.size()));
  auto rules = parse_guard_rule(words);
  if (!rules) return std::unexpected(rules.error());
  if (rules->size() != 1) return fail(ErrorKind::failed, "more than one rule");
  auto rule = std::move(rules->front());
  if (rule.network.length == 128 && local_.contains(rule.network.address))
    return fail(ErrorKind::failed, event.block + " is an address of this host");
  rule.expires_wall_ns = event.wall_ns + options_.ttl.count();
  rule.dry_run = options_.dry_run;
  rule.comment = fmt::format("sonde watch: {} #{}", security_kind_name(event.kind), event.id);
  return rule;
}

void Responder::respond(SecurityEvent& event) {
  if (event.block.empty()) return;
  auto rule = rule_for(event);
  if (rule && events_.size() >= most_blocked)
    rule = fail(ErrorKind::failed, fmt::format("{} attacks are being blocked", most_blocked));
  const auto id = rule ? guard_.add(*rule) : Result<std::uint64_t>(std::unexpected(rule.error()));
  if (!id) {
    event.action = "not blocked: " + id.error().text();
    return;
  }
  ++blocked_;
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(options_.ttl).count();
  event.action =
      fmt::format("{} {} by rule {} for {} s", options_.dry_run ? "counting" : "blocked", event.block, *id, seconds);
  event.undo = fmt::format("sonde guard remove {}", *id);
  events_.insert_or_assign(event.id, Blocked{*id, {}, event.wall_ns, event.wall_ns, {}});
}

void Responder::add_hits(SecurityEvent& event, const Blocked& blocked) {
  event.evidence.emplace_back("packets_dropped_by_rule", std::to_string(blocked.hits.packets));
}

void Responder::take(SecurityEvent event, const detect::Report& show) {
  if (event.state == SecurityState::started) {
    respond(event);
    show(std::move(event));
    return;
  }
  const auto found = events_.find(event.id);
  if (found == events_.end()) {
    show(std::move(event));
    return;
  }
  auto& blocked = found->second;
  if (event.state == SecurityState::ended && !options_.dry_run) {
    blocked.ended = std::move(event);
    return;
  }
  const bool ended = event.state == SecurityState::ended;
  if (ended || event.wall_ns >= next_look_ns_) read_hits(event.wall_ns);
  blocked.shown_ns = event.wall_ns;
  add_hits(event, blocked);
  show(std::move(event));
  if (ended) events_.erase(found);
}

// A rule that is gone has been removed by somebody, or has expired: it drops nothing any more.
void Responder::read_hits(std::int64_t wall_ns) {
  const auto before = std::chrono::steady_clock::now();
  const auto hits = guard_.hits();
  const auto took = std::chrono::nanoseconds(std::chrono::steady_clock::now() - before).count();
  next_look_ns_ = wall_ns + std::max(look_interval_ns, took * rest_per_look);
  if (!hits) return;
  for (auto& [id, blocked] : events_) {
    const auto now = hits->find(blocked.rule);
    if (now == hits->end()) {
      blocked.hit_ns = wall_ns - quiet_ns;
    } else if (now->second.packets > blocked.hits.packets) {
      blocked.hits = now->second;
      blocked.hit_ns = wall_ns;
    }
  }
}

void Responder::look_after(Blocked& blocked, std::int64_t wall_ns, const detect::Report& show) {
  const bool over = wall_ns - blocked.hit_ns >= quiet_ns;
  if (!over && wall_ns - blocked.shown_ns < show_interval_ns) return;
  auto event = *blocked.ended;
  event.state = over ? SecurityState::ended : SecurityState::updated;
  event.wall_ns = wall_ns;
  event.last_wall_ns = std::max(event.last_wall_ns, blocked.hit_ns);
  add_hits(event, blocked);
  if (!over) event.action = fmt::format("rule {} goes on dropping it: {} packets", blocked.rule, blocked.hits.packets);
  blocked.shown_ns = wall_ns;
  if (over) blocked.ended.reset();
  show(std::move(event));
}

void Responder::advance(std::int64_t wall_ns, const detect::Report& show) {
  const auto held = [](const auto& entry) { return entry.second.ended.has_value(); };
  if (wall_ns < next_look_ns_ || std::ranges::none_of(events_, held)) return;
  read_hits(wall_ns);
  for (auto entry = events_.begin(); entry != events_.end();) {
    const bool was_held = held(*entry);
    if (was_held) look_after(entry->second, wall_ns, show);
    entry = was_held && !held(*entry) ? events_.erase(entry) : std::next(entry);
  }
}

void Responder::finish(std::int64_t wall_ns, const detect::Report& show) {
  if (!events_.empty()) read_hits(wall_ns);
  for (auto& [id, blocked] : events_) {
    if (!blocked.ended) continue;
    auto& event = *blocked.ended;
    event.last_wall_ns = std::max(event.last_wall_ns, std::min(blocked.hit_ns, wall_ns));
    add_hits(event, blocked);
    event.action = fmt::format("rule {} stays until it expires", blocked.rule);
    show(std::move(event));
  }
  events_.clear();
}

}  // namespace sonde::watch
