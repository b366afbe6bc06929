// SPDX-License-Identifier: Apache-2.0
#include "actuators/guard/store.hpp"

#include <charconv>
#include <cstring>
#include <deque>

#include "actuators/guard/words.hpp"

namespace sonde::guard {
namespace {

void append_number(std::string& text, std::uint64_t number) {
  char digits[20];
  text.append(digits, std::to_chars(digits, digits + sizeof(digits), number).ptr);
  text += ' ';
}

// "12 0 block 192.0.2.0/24 --comment scan": id, expiry, words.
void append_rule(std::string& text, const GuardRule& rule, std::int64_t offset) {
  append_number(text, rule.id);
  append_number(text, rule.expires_wall_ns == 0 ? 0 : static_cast<std::uint64_t>(rule.expires_wall_ns - offset));
  text += guard_verdict_name(rule.verdict);
  if (const auto what = what_text(rule); !what.empty()) text += " " + what;
  if (!rule.comment.empty()) text += " --comment " + quoted(rule.comment);
  text += '\n';
}

bool take_number(std::string_view& line, std::uint64_t& number) {
  const auto [rest, error] = std::from_chars(line.data(), line.data() + line.size(), number);
  if (error != std::errc{}) return false;
  line.remove_prefix(static_cast<std::size_t>(rest - line.data()));
  return true;
}

std::unexpected<Error> damaged(std::string_view line) {
  return fail(ErrorKind::failed, "the rules in the kernel cannot be read: '" + std::string(line) + "'",
              "of another version of sonde? `sonde guard detach` removes them");
}

}  // namespace

std::string store(const RuleSet& set, std::int64_t monotonic_offset_ns) {
  StoreHeader header;
  header.next_id = set.next_id;
  std::string text(reinterpret_cast<const char*>(&header), sizeof(header));
  text.reserve(text.size() + set.rules.size() * 40);
  for (const auto& rule : set.rules) append_rule(text, rule, monotonic_offset_ns);
  return text;
}

StoreHeader store_header(std::string_view stored) {
  StoreHeader header;
  if (stored.size() >= sizeof(header)) std::memcpy(&header, stored.data(), sizeof(header));
  return header;
}

Result<RuleSet> restore(std::string_view stored, std::int64_t monotonic_offset_ns) {
  const auto header = store_header(stored);
  if (stored.size() < sizeof(header) || header.magic != StoreHeader{}.magic || header.version != StoreHeader{}.version)
    return damaged("no header");
  stored.remove_prefix(sizeof(header));
  RuleSet set;
  set.next_id = header.next_id;
  std::vector<std::string_view> words;
  std::deque<std::string> unquoted;
  while (!stored.empty()) {
    auto line = stored.substr(0, stored.find('\n'));
    stored.remove_prefix(std::min(line.size() + 1, stored.size()));
    const auto whole = line;
    std::uint64_t id = 0;
    std::uint64_t expires = 0;
    const bool numbers =
        take_number(line, id) && line.starts_with(' ') && (line.remove_prefix(1), true) && take_number(line, expires);
    if (!numbers || !split_words(line, words, unquoted) || !append_rules(words, 0, set.rules)) return damaged(whole);
    set.rules.back().id = id;
    if (expires != 0) set.rules.back().expires_wall_ns = static_cast<std::int64_t>(expires) + monotonic_offset_ns;
  }
  return set;
}

}  // namespace sonde::guard
