// SPDX-License-Identifier: Apache-2.0
#include "rule_sets.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <set>

namespace sonde::bench {
namespace {

std::uint8_t random_length(std::mt19937& random) {
  const auto value = random() % 6;
  if (value < 3) return 32;
  if (value < 5) return 24;
  return static_cast<std::uint8_t>(20 + random() % 12);
}

}  // namespace

std::vector<Cidr> addresses(std::uint32_t count) {
  std::vector<Cidr> cidrs(count);
  for (std::uint32_t i = 0; i < count; ++i) cidrs[i] = {i * address_multiplier, 32};
  return cidrs;
}

std::vector<Cidr> networks(std::uint32_t count) {
  std::mt19937 random(4);
  std::vector<Cidr> cidrs;
  std::set<std::uint64_t> seen;
  while (cidrs.size() < count) {
    const auto length = random_length(random);
    const auto address = static_cast<std::uint32_t>(random()) & ~((std::uint64_t{1} << (32 - length)) - 1);
    if (seen.insert(std::uint64_t{address} << 8 | length).second)
      cidrs.push_back({static_cast<std::uint32_t>(address), length});
  }
  return cidrs;
}

std::vector<GuardRule> block_rules(const std::vector<Cidr>& cidrs) {
  std::vector<GuardRule> rules(cidrs.size());
  for (std::size_t i = 0; i < cidrs.size(); ++i) {
    auto& rule = rules[i];
    rule.id = i + 1;
    rule.network.address[10] = rule.network.address[11] = 0xff;
    for (unsigned byte = 0; byte < 4; ++byte)
      rule.network.address[12 + byte] = static_cast<std::uint8_t>(cidrs[i].address >> (24 - 8 * byte));
    rule.network.length = static_cast<std::uint8_t>(96 + cidrs[i].length);
  }
  return rules;
}

std::string text(const Cidr& cidr) {
  return fmt::format("{}.{}.{}.{}/{}", cidr.address >> 24, cidr.address >> 16 & 255, cidr.address >> 8 & 255,
                     cidr.address & 255, cidr.length);
}

}  // namespace sonde::bench
