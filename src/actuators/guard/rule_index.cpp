// SPDX-License-Identifier: Apache-2.0
#include "actuators/guard/rule_index.hpp"

#include <bit>
#include <cstring>
#include <functional>

#include "actuators/guard/plan.hpp"

namespace sonde::guard {
namespace {

std::uint64_t mixed(std::uint64_t value) {  // the finalizer of MurmurHash3
  value ^= value >> 33;
  value *= 0xff51afd7ed558ccdULL;
  value ^= value >> 33;
  value *= 0xc4ceb9fe1a85ec53ULL;
  return value ^ value >> 33;
}

std::uint64_t packed(const GuardPorts& ports) { return static_cast<std::uint64_t>(ports.first) << 16 | ports.last; }

std::uint64_t hash_of(const GuardRule& rule) {
  std::uint64_t address[2];
  std::memcpy(address, rule.network.address.data(), sizeof(address));
  std::uint64_t hash = mixed(address[0] ^ rule.network.length);
  hash = mixed(hash ^ address[1]);
  hash = mixed(hash ^ packed(rule.source_ports) << 32 ^ packed(rule.destination_ports));
  const auto protocol = rule.protocol ? *rule.protocol : 256U;
  hash = mixed(hash ^ protocol << 16 ^ static_cast<unsigned>(rule.verdict) << 8 ^
               static_cast<unsigned>(rule.direction) << 4 ^ static_cast<unsigned>(rule.dry_run));
  return rule.interface.empty() ? hash : mixed(hash ^ std::hash<std::string>{}(rule.interface));
}

}  // namespace

bool same_rule(const GuardRule& a, const GuardRule& b) {
  return a.network == b.network && a.verdict == b.verdict && a.protocol == b.protocol &&
         a.source_ports == b.source_ports && a.destination_ports == b.destination_ports && a.direction == b.direction &&
         a.dry_run == b.dry_run && a.interface == b.interface;
}

RuleIndex::RuleIndex(std::size_t rules) : slots_(std::bit_ceil(rules * 2 + 2), none) {}

std::size_t RuleIndex::slot_of(const std::vector<GuardRule>& rules, const GuardRule& rule) const {
  const auto mask = slots_.size() - 1;
  auto slot = hash_of(rule) & mask;
  while (slots_[slot] != none && !same_rule(rules[slots_[slot]], rule)) slot = (slot + 1) & mask;
  return slot;
}

std::uint32_t RuleIndex::find_or_insert(const std::vector<GuardRule>& rules, const GuardRule& rule,
                                        std::uint32_t place) {
  auto& slot = slots_[slot_of(rules, rule)];
  if (slot != none) return slot;
  slot = place;
  return none;
}

std::uint32_t RuleIndex::find(const std::vector<GuardRule>& rules, const GuardRule& rule) const {
  return slots_[slot_of(rules, rule)];
}

}  // namespace sonde::guard
