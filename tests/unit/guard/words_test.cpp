// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "sonde/guard.hpp"

namespace sonde {
namespace {

using testing::HasSubstr;

constexpr std::int64_t now = 1'000'000'000'000'000'000;

std::vector<GuardRule> rules_of(std::string_view text) {
  auto rules = parse_guard_rules(text, GuardVerdict::block, now);
  if (!rules) ADD_FAILURE() << text << ": " << rules.error().text();
  return rules.value_or(std::vector<GuardRule>{});
}

std::string error_of(std::string_view text) {
  const auto rules = parse_guard_rules(text, GuardVerdict::block, now);
  if (rules) return "no error";
  EXPECT_EQ(rules.error().kind, ErrorKind::usage);
  return rules.error().message;
}

TEST(words_rules, what_is_written_is_read_back) {
  for (const char* text :
       {"block 192.0.2.0/24", "block 2001:db8::/32 --protocol tcp --dst-port 443", "allow any --protocol icmp6",
        "never 10.0.0.7", "limit any --protocol udp --dst-port 53 --direction both --rate 1000pps --burst 50",
        "limit 10.0.0.0/8 --rate 10mbit", "limit 10.0.0.0/8 --rate 12kbit --dry-run", "limit any --rate 8bit",
        "block any --src-port 1000-2000 --direction out --ttl 600s", "block 1.2.3.4 --ttl 1500ms --comment \"a scan\"",
        "block 1.2.3.4 --protocol 47 --comment scan", "default drop", "default drop --protocol tcp --dst-port 8443",
        "default drop --dst-port 1-1023 --interface eth0", "block 0.0.0.0/0", "block 2000::/3",
        "block 1.2.3.4 --comment \"#1 \\\"quoted\\\" \\\\\""}) {
    const auto rules = rules_of(text);
    ASSERT_EQ(rules.size(), 1U) << text;
    EXPECT_EQ(rules[0].text(now), text);
  }
}

TEST(words_rules, members_are_what_the_words_say) {
  const auto rules = rules_of(
      "limit 192.0.2.0/24 --protocol=udp --src-port 53 --dst-port 1024-65535 --ttl 10m --rate 8mbit --burst 64k");
  ASSERT_EQ(rules.size(), 1U);
  const auto& rule = rules[0];
  EXPECT_EQ(rule.verdict, GuardVerdict::limit);
  EXPECT_EQ(rule.network.length, 120);
  EXPECT_EQ(rule.network.address[10], 0xff);
  EXPECT_EQ(rule.network.address[12], 192);
  EXPECT_EQ(rule.protocol, 17);
  EXPECT_EQ(rule.source_ports, (GuardPorts{53, 53}));
  EXPECT_EQ(rule.destination_ports, (GuardPorts{1024, 65535}));
  EXPECT_EQ(rule.expires_wall_ns, now + 600'000'000'000);
  EXPECT_EQ(rule.rate, 1'000'000U);
  EXPECT_TRUE(rule.rate_in_bytes);
  EXPECT_EQ(rule.burst, 65536U);
}

TEST(words_rules, several_addresses_are_a_rule_each) {
  const auto rules = rules_of("block 192.0.2.1 2001:db8::7 198.51.100.0/24 --dst-port 22");
  ASSERT_EQ(rules.size(), 3U);
  EXPECT_EQ(rules[1].text(now), "block 2001:db8::7 --dst-port 22");
}

TEST(words_rules, plain_lists_and_comments) {
  const auto rules = rules_of(
      "# known bad\n\n192.0.2.1\n2001:db8::/64  # lab\r\n\t198.51.100.0/24 --ttl 1h\nallow any --protocol "
      "icmp\ndefault pass");
  ASSERT_EQ(rules.size(), 4U);
  EXPECT_EQ(rules[0].text(now), "block 192.0.2.1");
  EXPECT_EQ(rules[1].text(now), "block 2001:db8::/64");
  EXPECT_EQ(rules[2].text(now), "block 198.51.100.0/24 --ttl 3600s");
  const auto allowed = parse_guard_rules("192.0.2.1\n", GuardVerdict::allow, now);
  ASSERT_TRUE(allowed);
  EXPECT_EQ(allowed->at(0).verdict, GuardVerdict::allow);
}

TEST(words_errors, name_line_word_and_what_was_expected) {
  struct Case {
    const char* text;
    const char* part;
  };
  for (const auto& [text, part] : std::initializer_list<Case>{
           {"192.0.2.1\n192.0.2.256", "line 2: '192.0.2.256': expected an address"},
           {"block 192.0.2.1/24", "expected 192.0.2.0/24 or 192.0.2.1"},
           {"block 192.0.2.0/33", "/0 to /32"},
           {"block 192.0.2.010", "expected an address"},
           {"block 2001:db8::/129", "/0 to /128"},
           {"block ::/0", "all of IPv4 too"},
           {"block ::/8", "all of IPv4 too"},
           {"blok 192.0.2.1", "'blok': expected one of block"},
           {"block", "block: expected an address"},
           {"block any --dst-prot 1", "'--dst-prot': no such option"},
           {"block any --dst-port 70000", "--dst-port '70000'"},
           {"block any --dst-port 20-10", "--dst-port '20-10'"},
           {"block any --dst-port", "--dst-port: expected a value"},
           {"block any --protocol icmp --dst-port 1", "icmp has no ports"},
           {"block any --protocol 256", "--protocol '256'"},
           {"block any --ttl 0", "--ttl '0'"},
           {"block any --ttl ten", "--ttl 'ten'"},
           {"block any --direction up", "--direction 'up'"},
           {"block any --rate 10pps", "only limit has a rate"},
           {"limit any", "expected --rate"},
           {"limit any --rate 10", "--rate '10'"},
           {"limit any --rate 0pps", "--rate '0pps'"},
           {"allow any --burst 10", "only limit has a burst"},
           {"block any --interface eth0", "only a default policy"},
           {"default", "default '': expected drop or pass"},
           {"default drop 10.0.0.1", "'10.0.0.1': a default policy is for all addresses"},
           {"default drop --ttl 10s", "does not expire"},
           {"default pass --dst-port 22", "allow any --dst-port"},
           {"block 10.0.0.1 --comment \"open", "quote is not closed"},
           {"block 10.0.0.1 10.0.0.2x", "'10.0.0.2x'"},
       })
    EXPECT_THAT(error_of(text), HasSubstr(part)) << text;
}

TEST(words_errors, the_words_of_a_command_have_no_line) {
  const std::vector<std::string> words{"block", "192.0.2.999"};
  const auto rules = parse_guard_rule(words, now);
  ASSERT_FALSE(rules);
  EXPECT_TRUE(rules.error().message.starts_with("'192.0.2.999'"));
}

GuardRule random_rule(std::mt19937& random) {
  const auto pick = [&](std::uint32_t most) { return std::uniform_int_distribution<std::uint32_t>(0, most)(random); };
  GuardRule rule;
  rule.verdict = static_cast<GuardVerdict>(pick(4));
  const bool policy = rule.verdict == GuardVerdict::default_drop;
  if (!policy && pick(9) != 0) {
    const bool ipv4 = pick(1) == 0;
    rule.network.length = static_cast<std::uint8_t>(ipv4 ? 96 + pick(32) : 3 + pick(125));
    for (auto& byte : rule.network.address) byte = static_cast<std::uint8_t>(pick(255));
    rule.network.address[0] |= 0x20;  // not among those that hold IPv4
    if (ipv4)
      for (std::size_t i = 0; i < 12; ++i) rule.network.address[i] = i < 10 ? 0 : 0xff;
    for (unsigned bit = rule.network.length; bit < 128; ++bit)
      rule.network.address[bit / 8] &= static_cast<std::uint8_t>(~(0x80U >> (bit % 8)));
  }
  const auto ports = [&] {
    const auto first = static_cast<std::uint16_t>(pick(65535));
    return GuardPorts{first, static_cast<std::uint16_t>(first + pick(65535U - first))};
  };
  if (pick(2) == 0) rule.protocol = pick(1) == 0 ? 6 : 17;
  if (pick(2) == 0) rule.source_ports = ports();
  if (pick(2) == 0) rule.destination_ports = ports();
  rule.direction = static_cast<GuardDirection>(pick(2));
  rule.dry_run = pick(3) == 0;
  if (rule.verdict == GuardVerdict::limit) {
    rule.rate = 1 + pick(1'000'000'000);
    rule.rate_in_bytes = pick(1) == 0;
    rule.burst = pick(1) == 0 ? 0 : 1 + pick(1'000'000);
  }
  if (!policy && pick(2) == 0) rule.expires_wall_ns = now + 1'000'000LL * (1 + pick(100'000'000));
  if (policy && pick(1) == 0) rule.interface = "eth0.12";
  const auto length = pick(1) == 0 ? 0 : pick(20);
  for (std::uint32_t i = 0; i < length; ++i) rule.comment += static_cast<char>(' ' + pick(94));
  return rule;
}

TEST(words_rules, random_rules_are_the_same_after_text) {
  std::mt19937 random(7);
  for (int i = 0; i < 20'000; ++i) {
    const auto rule = random_rule(random);
    const auto text = rule.text(now);
    const auto rules = rules_of(text);
    ASSERT_EQ(rules.size(), 1U) << text;
    const auto& read = rules[0];
    ASSERT_EQ(read.verdict, rule.verdict) << text;
    ASSERT_EQ(read.network, rule.network) << text;
    ASSERT_EQ(read.protocol, rule.protocol) << text;
    ASSERT_EQ(read.source_ports, rule.source_ports) << text;
    ASSERT_EQ(read.destination_ports, rule.destination_ports) << text;
    ASSERT_EQ(read.direction, rule.direction) << text;
    ASSERT_EQ(read.dry_run, rule.dry_run) << text;
    ASSERT_EQ(read.rate, rule.rate) << text;
    ASSERT_EQ(read.rate_in_bytes, rule.rate_in_bytes) << text;
    ASSERT_EQ(read.burst, rule.burst) << text;
    ASSERT_GE(read.expires_wall_ns, rule.expires_wall_ns) << text;
    ASSERT_LT(read.expires_wall_ns, rule.expires_wall_ns + 1'000'000'000) << text;
    ASSERT_EQ(read.comment, rule.comment) << text;
    ASSERT_EQ(read.interface, rule.interface) << text;
  }
}

// Lines with a few bytes changed: an error names its line, and what is read is written so that it reads the same.
TEST(words_rules, changed_lines_are_refused_or_mean_what_they_say) {
  const std::string lines[] = {
      "limit 10.0.0.0/8 any --protocol udp --dst-port 53-54 --rate 12kbit --burst 4k --comment \"a b\"",
      "block 2001:db8::/32 192.0.2.7 --ttl 90s --direction=both --src-port=1-2 --dry-run # end",
      "default drop --protocol 6 -i eth0 --comment 'it''s'", "198.51.100.7 --ttl 1h"};
  constexpr std::string_view bytes = " \t\"'\\#-=/.:,0159abfmksx\n\r\x00\xff";
  std::mt19937 random(5);
  const auto pick = [&](std::size_t most) { return std::uniform_int_distribution<std::size_t>(0, most)(random); };
  std::size_t read_lines = 0;
  for (int i = 0; i < 100'000; ++i) {
    auto line = lines[pick(std::size(lines) - 1)];
    for (auto changes = pick(3); changes > 0; --changes) {
      const auto at = pick(line.size() - 1);
      const auto byte = bytes[pick(bytes.size() - 1)];
      if (pick(2) == 0)
        line.erase(at, 1 + pick(3));
      else if (pick(1) == 0)
        line.insert(at, 1, byte);
      else
        line[at] = byte;
    }
    const auto rules = parse_guard_rules(line, GuardVerdict::block, now);
    if (!rules) {
      ASSERT_TRUE(rules.error().message.starts_with("line ")) << line;
      continue;
    }
    ++read_lines;
    for (const auto& rule : *rules) {
      const auto again = parse_guard_rules(rule.text(now), GuardVerdict::block, now);
      ASSERT_TRUE(again) << rule.text(now) << ": " << again.error().text();
      ASSERT_EQ(again->size(), 1U) << rule.text(now);
      ASSERT_EQ(again->front().text(now), rule.text(now));
      ASSERT_EQ(again->front().comment, rule.comment);
      ASSERT_EQ(again->front().network, rule.network);
    }
  }
  EXPECT_GT(read_lines, 20'000U);
}

}  // namespace
}  // namespace sonde
