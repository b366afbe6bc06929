// SPDX-License-Identifier: Apache-2.0
// Rules as text, and text with many rules.
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <utility>

#include "actuators/guard/network.hpp"
#include "actuators/guard/words.hpp"
#include "base/wall_clock.hpp"

namespace sonde::guard {
namespace {

std::int64_t wall_now() { return WallClock().wall_ns(static_cast<std::uint64_t>(monotonic_ns())); }

constexpr std::array<std::pair<std::uint8_t, const char*>, 5> protocols{{{IPPROTO_TCP, "tcp"},
                                                                         {IPPROTO_UDP, "udp"},
                                                                         {IPPROTO_ICMP, "icmp"},
                                                                         {IPPROTO_ICMPV6, "icmp6"},
                                                                         {IPPROTO_SCTP, "sctp"}}};

constexpr std::array<std::pair<std::uint64_t, const char*>, 3> bit_units{
    {{125'000'000, "gbit"}, {125'000, "mbit"}, {125, "kbit"}}};

void append_options(std::string& text, const GuardRule& rule) {
  if (rule.protocol) text += " --protocol " + protocol_text(*rule.protocol);
  if (!rule.source_ports.any()) text += " --src-port " + ports_text(rule.source_ports);
  if (!rule.destination_ports.any()) text += " --dst-port " + ports_text(rule.destination_ports);
  if (rule.direction != GuardDirection::in)
    text += rule.direction == GuardDirection::out ? " --direction out" : " --direction both";
  if (!rule.interface.empty()) text += " --interface " + quoted(rule.interface);
  if (rule.rate != 0) text += " --rate " + rate_text(rule);
  if (rule.burst != 0) text += " --burst " + std::to_string(rule.burst);
  if (rule.dry_run) text += " --dry-run";
}

// The line of a list as the words of a command.
Result<void> read_line(std::string_view line, GuardVerdict bare, std::int64_t now_wall_ns,
                       std::vector<std::string_view>& words, std::deque<std::string>& unquoted,
                       std::vector<GuardRule>& rules) {
  if (auto split = split_words(line, words, unquoted); !split) return split;
  if (words.empty()) return {};
  if (begins_with_network(words.front())) words.insert(words.begin(), guard_verdict_name(bare));
  return append_rules(words, now_wall_ns, rules);
}

}  // namespace

std::string protocol_text(std::uint8_t protocol) {
  const auto* const found = std::ranges::find(protocols, protocol, &std::pair<std::uint8_t, const char*>::first);
  return found == protocols.end() ? std::to_string(protocol) : found->second;
}

std::string ports_text(const GuardPorts& ports) {
  const auto first = std::to_string(ports.first);
  return ports.first == ports.last ? first : first + "-" + std::to_string(ports.last);
}

std::string rate_text(const GuardRule& rule) {
  if (!rule.rate_in_bytes) return std::to_string(rule.rate) + "pps";
  for (const auto& [bytes, unit] : bit_units)
    if (rule.rate % bytes == 0) return std::to_string(rule.rate / bytes) + unit;
  return std::to_string(rule.rate * 8) + "bit";
}

std::string duration_text(std::int64_t ns) {
  constexpr std::int64_t ms = 1'000'000;
  constexpr std::int64_t second = 1'000 * ms;
  if (ns > 10 * second) return std::to_string((ns + second - 1) / second) + "s";
  const auto rounded = std::max<std::int64_t>((ns + ms - 1) / ms, 1);
  return rounded % 1000 == 0 ? std::to_string(rounded / 1000) + "s" : std::to_string(rounded) + "ms";
}

std::string what_text(const GuardRule& rule) {
  std::string text = rule.verdict == GuardVerdict::default_drop ? "" : " " + network_text(rule.network);
  append_options(text, rule);
  return text.empty() ? text : text.substr(1);
}

}  // namespace sonde::guard

namespace sonde {

const char* guard_verdict_name(GuardVerdict verdict) {
  constexpr std::array names{"never", "allow", "block", "limit", "default drop"};
  const auto number = static_cast<std::size_t>(verdict);
  return number < names.size() ? names[number] : "";
}

std::string GuardRule::text(std::int64_t now_wall_ns) const {
  std::string text = guard_verdict_name(verdict);
  if (const auto what = guard::what_text(*this); !what.empty()) text += " " + what;
  if (expires_wall_ns != 0) {
    const auto now = now_wall_ns == 0 ? guard::wall_now() : now_wall_ns;
    text += " --ttl " + guard::duration_text(expires_wall_ns - now);
  }
  if (!comment.empty()) text += " --comment " + guard::quoted(comment);
  return text;
}

std::string GuardRule::what() const { return guard::what_text(*this); }

Result<std::vector<GuardRule>> parse_guard_rules(std::string_view text, GuardVerdict bare, std::int64_t now_wall_ns) {
  if (now_wall_ns == 0) now_wall_ns = guard::wall_now();
  std::vector<GuardRule> rules;
  std::vector<std::string_view> words;
  std::deque<std::string> unquoted;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const auto end = std::min(text.find('\n'), text.size());
    const auto read = guard::read_line(text.substr(0, end), bare, now_wall_ns, words, unquoted, rules);
    if (!read) {
      auto error = read.error();
      error.message = "line " + std::to_string(number) + ": " + error.message;
      return std::unexpected(std::move(error));
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return rules;
}

Result<std::vector<GuardRule>> parse_guard_rule(std::span<const std::string> words, std::int64_t now_wall_ns) {
  if (now_wall_ns == 0) now_wall_ns = guard::wall_now();
  std::vector<GuardRule> rules;
  const std::vector<std::string_view> views(words.begin(), words.end());
  if (auto read = guard::append_rules(views, now_wall_ns, rules); !read) return std::unexpected(read.error());
  return rules;
}

}  // namespace sonde
