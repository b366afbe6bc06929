// SPDX-License-Identifier: Apache-2.0
#include "actuators/guard/words.hpp"

#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <optional>

#include "actuators/guard/network.hpp"

namespace sonde::guard {
namespace {

struct Unit {
  std::string_view suffix;
  double factor;
};

constexpr std::array durations{Unit{"ms", 1e6},   Unit{"s", 1e9},     Unit{"m", 60e9},
                               Unit{"h", 3600e9}, Unit{"d", 86400e9}, Unit{"", 1e9}};
constexpr std::array packet_rates{Unit{"pps", 1}, Unit{"kpps", 1e3}, Unit{"mpps", 1e6}};
// Decimal, as rates of links are.
constexpr std::array bit_rates{Unit{"bit", 0.125}, Unit{"kbit", 125}, Unit{"mbit", 125e3}, Unit{"gbit", 125e6}};
constexpr std::array bursts{Unit{"", 1}, Unit{"k", 1024}, Unit{"m", 1048576}, Unit{"K", 1024}, Unit{"M", 1048576}};

constexpr double longest_ttl_ns = 366 * 86400e9;
// The kernel counts tokens in nanoseconds times rate (guard.bpf.c): room for a second's worth.
constexpr double most_rate = 1e11;

std::unexpected<Error> wrong(std::string_view option, std::string_view word, const std::string& expected) {
  return fail(ErrorKind::usage, std::string(option) + " '" + std::string(word) + "': expected " + expected);
}

// Negative: not a number with one of the suffixes.
template <std::size_t N>
double number_with(std::string_view word, const std::array<Unit, N>& units) {
  double number = 0;
  const auto* const end = word.data() + word.size();
  const auto [rest, error] = std::from_chars(word.data(), end, number, std::chars_format::fixed);
  if (error != std::errc{}) return -1;
  const std::string_view suffix(rest, static_cast<std::size_t>(end - rest));
  for (const auto& unit : units)
    if (suffix == unit.suffix) return number * unit.factor;
  return -1;
}

template <class T>
std::optional<T> whole_number(std::string_view word) {
  T number{};
  const auto [rest, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  if (error != std::errc{} || rest != word.data() + word.size()) return {};
  return number;
}

struct ProtocolName {
  std::string_view name;
  std::uint8_t number;
};
constexpr std::array protocols{ProtocolName{"tcp", IPPROTO_TCP}, ProtocolName{"udp", IPPROTO_UDP},
                               ProtocolName{"icmp", IPPROTO_ICMP}, ProtocolName{"icmp6", IPPROTO_ICMPV6},
                               ProtocolName{"sctp", IPPROTO_SCTP}};

/// A command that is being read.
struct Reading {
  GuardRule rule;  ///< without its network
  std::vector<GuardNetwork> networks;
  std::int64_t now_wall_ns = 0;
  bool burst_given = false;
};

Result<void> take_protocol(Reading& to, std::string_view word) {
  for (const auto& [name, number] : protocols)
    if (word == name) {
      to.rule.protocol = number;
      return {};
    }
  const auto number = whole_number<std::uint8_t>(word);
  if (!number) return wrong("--protocol", word, "one of tcp, udp, icmp, icmp6, sctp, or a number from 0 to 255");
  to.rule.protocol = *number;
  return {};
}

Result<void> take_ports(std::string_view option, std::string_view word, GuardPorts& ports) {
  const auto dash = word.find('-');
  const auto first = whole_number<std::uint16_t>(word.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : whole_number<std::uint16_t>(word.substr(dash + 1));
  if (!first || !last || *first > *last)
    return wrong(option, word, "a port from 0 to 65535, or a range such as 8000-8080");
  ports = {*first, *last};
  return {};
}

Result<void> take_source_ports(Reading& to, std::string_view word) {
  return take_ports("--src-port", word, to.rule.source_ports);
}

Result<void> take_destination_ports(Reading& to, std::string_view word) {
  return take_ports("--dst-port", word, to.rule.destination_ports);
}

constexpr std::array<std::string_view, 3> directions{"in", "out", "both"};

Result<void> take_direction(Reading& to, std::string_view word) {
  const auto* const found = std::ranges::find(directions, word);
  if (found == directions.end()) return wrong("--direction", word, "one of in, out, both");
  to.rule.direction = static_cast<GuardDirection>(found - directions.begin());
  return {};
}

Result<void> take_ttl(Reading& to, std::string_view word) {
  const double ns = number_with(word, durations);
  if (ns < 1e6 || ns > longest_ttl_ns) return wrong("--ttl", word, "a time such as 10m, 1h, 90s or 7d, a year at most");
  to.rule.expires_wall_ns = to.now_wall_ns + static_cast<std::int64_t>(ns);
  return {};
}

Result<void> take_comment(Reading& to, std::string_view word) {
  constexpr std::size_t longest = 255;
  const bool control =
      std::ranges::any_of(word, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
  if (control || word.size() > longest) return wrong("--comment", word, "one line of at most 255 bytes");
  to.rule.comment = word;
  return {};
}

Result<void> take_rate(Reading& to, std::string_view word) {
  const double packets = number_with(word, packet_rates);
  const double rate = packets >= 0 ? packets : number_with(word, bit_rates);
  if (rate < 1 || rate > most_rate) return wrong("--rate", word, "a rate such as 1000pps, 5kpps, 500kbit or 10mbit");
  to.rule.rate = static_cast<std::uint64_t>(rate);
  to.rule.rate_in_bytes = packets < 0;
  return {};
}

Result<void> take_burst(Reading& to, std::string_view word) {
  const double burst = number_with(word, bursts);
  if (burst < 1 || burst > most_rate) return wrong("--burst", word, "packets, or bytes with a rate in bits: 200, 64k");
  to.rule.burst = static_cast<std::uint64_t>(burst);
  to.burst_given = true;
  return {};
}

Result<void> take_interface(Reading& to, std::string_view word) {
  constexpr std::size_t longest = 15;  // IFNAMSIZ without its end
  if (word.empty() || word.size() > longest || word.find_first_of("/: \t") != std::string_view::npos)
    return wrong("--interface", word, "the name of an interface");
  to.rule.interface = word;
  return {};
}

struct Option {
  std::string_view name;
  Result<void> (*take)(Reading& to, std::string_view word);
};
constexpr std::array options{Option{"--protocol", take_protocol},
                             Option{"--src-port", take_source_ports},
                             Option{"--dst-port", take_destination_ports},
                             Option{"--direction", take_direction},
                             Option{"--ttl", take_ttl},
                             Option{"--comment", take_comment},
                             Option{"--rate", take_rate},
                             Option{"--burst", take_burst},
                             Option{"--interface", take_interface},
                             Option{"-i", take_interface}};

constexpr std::string_view option_names =
    "--protocol, --src-port, --dst-port, --direction, --ttl, --dry-run, --comment, --rate, --burst, --interface";

Result<void> take_option(Reading& to, std::span<const std::string_view> words, std::size_t& at) {
  const auto word = words[at];
  if (word == "--dry-run") {
    to.rule.dry_run = true;
    return {};
  }
  const auto equals = word.starts_with("--") ? word.find('=') : std::string_view::npos;
  for (const auto& [name, take] : options) {
    if (word.substr(0, equals) != name) continue;
    if (equals != std::string_view::npos) return take(to, word.substr(equals + 1));
    if (at + 1 == words.size()) return fail(ErrorKind::usage, std::string(name) + ": expected a value");
    return take(to, words[++at]);
  }
  return fail(ErrorKind::usage,
              "'" + std::string(word) + "': no such option; expected one of " + std::string(option_names));
}

bool has_ports(std::uint8_t protocol) {
  return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP ||
         protocol == IPPROTO_UDPLITE || protocol == IPPROTO_DCCP;
}

// Words that are right one by one, and contradict each other.
Result<void> check_whole(const Reading& read, std::string_view verdict) {
  const auto& rule = read.rule;
  const bool limits = rule.verdict == GuardVerdict::limit;
  const bool policy = rule.verdict == GuardVerdict::default_drop;
  const auto refuse = [&](const char* option, const char* why) {
    return fail(ErrorKind::usage, std::string(option) + ": " + why);
  };
  if (limits && rule.rate == 0) return refuse("limit", "expected --rate, such as --rate 1000pps or --rate 10mbit");
  if (!limits && rule.rate != 0) return refuse("--rate", "only limit has a rate");
  if (!limits && read.burst_given) return refuse("--burst", "only limit has a burst");
  if (!policy && !rule.interface.empty()) return refuse("--interface", "only a default policy is of one interface");
  if (policy && !read.networks.empty())
    return fail(ErrorKind::usage,
                "'" + network_text(read.networks.front()) + "': a default policy is for all addresses");
  if (policy && rule.expires_wall_ns != 0) return refuse("--ttl", "a default policy does not expire");
  if (!policy && read.networks.empty())
    return fail(ErrorKind::usage, std::string(verdict) + ": expected an address, a network, or any");
  const bool ports = !rule.source_ports.any() || !rule.destination_ports.any();
  if (ports && rule.protocol && !has_ports(*rule.protocol))
    return refuse("--protocol", (protocol_text(*rule.protocol) + " has no ports").c_str());
  return {};
}

struct VerdictName {
  std::string_view name;
  GuardVerdict verdict;
};
constexpr std::array verdicts{VerdictName{"block", GuardVerdict::block}, VerdictName{"allow", GuardVerdict::allow},
                              VerdictName{"never", GuardVerdict::never_block},
                              VerdictName{"limit", GuardVerdict::limit}};

Result<void> append_policy(std::span<const std::string_view> words, std::vector<GuardRule>& rules) {
  if (words.size() < 2 || (words[1] != "drop" && words[1] != "pass"))
    return wrong("default", words.size() < 2 ? "" : words[1], "drop or pass");
  Reading read;
  read.rule.verdict = GuardVerdict::default_drop;
  for (std::size_t at = 2; at < words.size(); ++at) {
    if (!words[at].starts_with('-'))
      return fail(ErrorKind::usage, "'" + std::string(words[at]) + "': a default policy is for all addresses");
    if (auto taken = take_option(read, words, at); !taken) return taken;
  }
  if (auto right = check_whole(read, "default"); !right) return right;
  if (words[1] == "drop")
    rules.push_back(std::move(read.rule));
  else if (words.size() > 2)
    return fail(ErrorKind::usage, "'" + std::string(words[2]) +
                                      "': expected nothing after default pass, which is what holds where no default "
                                      "drop does; an exception to one is: allow any " +
                                      std::string(words[2]) + " ...");
  return {};
}

}  // namespace

bool begins_with_network(std::string_view word) {
  return word == "any" || word.find_first_of(":/") != std::string_view::npos ||
         (!word.empty() && word[0] >= '0' && word[0] <= '9');
}

Result<void> append_rules(std::span<const std::string_view> words, std::int64_t now_wall_ns,
                          std::vector<GuardRule>& rules) {
  if (words.empty()) return fail(ErrorKind::usage, "expected a rule");
  if (words[0] == "default") return append_policy(words, rules);
  const auto* const verdict = std::ranges::find(verdicts, words[0], &VerdictName::name);
  if (verdict == verdicts.end())
    return fail(ErrorKind::usage,
                "'" + std::string(words[0]) + "': expected one of block, allow, never, limit, default");
  Reading read;
  read.now_wall_ns = now_wall_ns;
  read.rule.verdict = verdict->verdict;
  for (std::size_t at = 1; at < words.size(); ++at) {
    if (words[at].starts_with('-')) {
      if (auto taken = take_option(read, words, at); !taken) return taken;
      continue;
    }
    auto network = parse_network(words[at]);
    if (!network) return std::unexpected(network.error());
    read.networks.push_back(*network);
  }
  if (auto right = check_whole(read, words[0]); !right) return right;
  for (const auto& network : read.networks) {
    rules.push_back(read.rule);
    rules.back().network = network;
  }
  return {};
}

}  // namespace sonde::guard
