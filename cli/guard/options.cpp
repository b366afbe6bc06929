// SPDX-License-Identifier: Apache-2.0
#include "guard/options.hpp"

#include <utility>

namespace sonde::cli {
namespace {

using Member = std::optional<std::string> RuleWords::*;

constexpr std::pair<const char*, Member> options[] = {
    {"--protocol", &RuleWords::protocol},
    {"--src-port", &RuleWords::source_ports},
    {"--dst-port", &RuleWords::destination_ports},
    {"--direction", &RuleWords::direction},
    {"--ttl", &RuleWords::ttl},
    {"--comment", &RuleWords::comment},
    {"--rate", &RuleWords::rate},
    {"--burst", &RuleWords::burst},
};

}  // namespace

std::vector<std::string> RuleWords::after(const std::vector<std::string>& verdict) const {
  auto words = verdict;
  words.insert(words.end(), addresses.begin(), addresses.end());
  for (const auto& [name, member] : options)
    if (this->*member) {
      words.emplace_back(name);
      words.push_back(*(this->*member));
    }
  if (dry_run) words.emplace_back("--dry-run");
  return words;
}

const char* RuleWords::any_option() const {
  for (const auto& [name, member] : options)
    if (this->*member) return name;
  return dry_run ? "--dry-run" : nullptr;
}

void add_scope_options(OptionGroup& group, RuleWords& words) {
  group.option("--protocol", "PROTOCOL", words.protocol, "tcp, udp, icmp, icmp6, sctp or a number");
  group.option("--src-port", "PORTS", words.source_ports, "Source port of the packet: 53, 1024-65535");
  group.option("--dst-port", "PORTS", words.destination_ports, "Destination port of the packet");
  group.option("--direction", "DIRECTION", words.direction,
               "in: received, the address is the source (default); out: sent, it is the destination; both");
}

void add_life_options(OptionGroup& group, RuleWords& words) {
  group.option("--ttl", "TIME", words.ttl, "The rule goes after this time: 10m, 90s, 1h, 7d");
  group.option("--comment", "TEXT", words.comment, "Kept with the rule");
  group.flag("--dry-run", words.dry_run, "The rule counts what it would decide, and decides nothing");
}

void add_limit_options(OptionGroup& group, RuleWords& words) {
  group.option("--rate", "RATE", words.rate, "limit: for each address, 1000pps or 10mbit");
  group.option("--burst", "SIZE", words.burst, "limit: packets (bytes with a rate in bits) at once; a second's worth");
}

void add_force(OptionGroup& group, GuardWords& words) {
  group.flag("--force", words.force, "Also if it cuts off your own connection");
}

}  // namespace sonde::cli
