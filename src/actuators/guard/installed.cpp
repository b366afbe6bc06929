// SPDX-License-Identifier: Apache-2.0
#include "actuators/guard/installed.hpp"

#include <net/if.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/wall_clock.hpp"
#include "kernel/mapped_array.hpp"
#include "kernel/object.hpp"
#include "kernel/pins.hpp"

namespace sonde::guard {
namespace {

constexpr const char* rules_pin = "/rules";
constexpr const char* previous_pin = "/previous";

Result<RuleSetMap> build(const RuleSet& set, const Clocks& clocks, std::uint64_t generation) {
  CompileOptions options;
  options.generation = generation;
  options.wall_now_ns = clocks.wall_ns;
  options.monotonic_now_ns = clocks.monotonic_ns;
  options.ifindex = [](const std::string& name) { return ::if_nametoindex(name.c_str()); };
  options.cpus = kernel::possible_cpus();
  const auto blob = compile(set.rules, store(set, clocks.offset()), options);
  if (!blob) return std::unexpected(blob.error());
  return RuleSetMap::create(*blob);
}

// Both are in the order of the ids: what is added has a larger id than what is there.
std::vector<std::uint32_t> origins(const BlobView& old, const BlobView& now) {
  std::vector<std::uint32_t> origin(now.rules(), UINT32_MAX);
  std::uint32_t place = 0;
  for (std::uint32_t i = 0; i < now.rules(); ++i) {
    while (place < old.rules() && old.id(place) < now.id(i)) ++place;
    if (place < old.rules() && old.id(place) == now.id(i)) origin[i] = place;
  }
  return origin;
}

void add(GuardCount& to, const GuardCount& count) {
  to.packets += count.packets;
  to.bytes += count.bytes;
}

// What the rules that are not in the new set had decided, besides what was retired before.
Result<StoreHeader> retire(const BlobView& old, const std::vector<std::uint32_t>& origin, std::uint64_t next_id) {
  const auto rules = restore(old.source(), 0);
  if (!rules) return std::unexpected(rules.error());
  std::vector<bool> stays(old.rules());
  for (const auto place : origin)
    if (place != UINT32_MAX) stays[place] = true;
  auto header = store_header(old.source());
  header.next_id = next_id;
  for (std::uint32_t place = 0; place < old.rules() && place < rules->rules.size(); ++place) {
    const auto& rule = rules->rules[place];
    if (stays[place] || rule.dry_run) continue;
    auto count = old.count(place);
    const auto limited = old.limited(place);
    count.packets -= limited.packets;
    count.bytes -= limited.bytes;
    add(header.retired[static_cast<std::size_t>(rule.verdict)], count);
    add(header.retired_limited, limited);
  }
  return header;
}

// Gives the same result however often it is done: the counts of `old` stand still, and those of user space in `now` are
// written by nobody else.
Result<void> carry_over(const BlobView& old, const BlobView& now, std::span<std::uint8_t> memory) {
  const auto origin = origins(old, now);
  const auto header = retire(old, origin, store_header(now.source()).next_id);
  if (!header) return std::unexpected(header.error());
  const auto& tables = now.header();
  const auto first = std::size_t{tables.counters + tables.shards * tables.shard_elements} * SONDE_GUARD_ELEMENT_SIZE;
  std::memset(memory.data() + first, 0, std::size_t{tables.shard_elements} * SONDE_GUARD_ELEMENT_SIZE);
  carry_counts(old, memory, origin);
  auto* const place = memory.data() + std::size_t{now.header().source} * SONDE_GUARD_ELEMENT_SIZE;
  std::memcpy(place, &*header, sizeof(*header));
  return {};
}

Result<RuleSetMap> current_or_empty(int slot) {
  auto current = RuleSetMap::current(slot);
  if (!current) return std::unexpected(current.error());
  if (*current) return std::move(**current);
  auto empty = build({}, Clocks::now(), 1);
  if (!empty) return empty;
  if (auto put = replace_rule_set(slot, *empty); !put) return std::unexpected(put.error());
  return empty;
}

Result<void> finish_interrupted(const std::string& directory, int slot, RuleSetMap& current) {
  auto pin = kernel::open_pin(directory + previous_pin);
  if (!pin) return std::unexpected(pin.error());
  if (!*pin) return {};
  const auto previous = kernel::MappedArray::open(std::move(*pin));
  if (!previous) return std::unexpected(previous.error());
  const auto old = BlobView::open(previous->memory());
  const auto now = current.view();
  if (!old) return std::unexpected(old.error());
  if (!now) return std::unexpected(now.error());
  if (old->generation() != now->generation()) {
    // Who was killed may not have waited for the programs that ran on the old one: putting the same set there again
    // does.
    if (auto waited = replace_rule_set(slot, current); !waited) return waited;
    if (auto carried = carry_over(*old, *now, current.memory()); !carried) return carried;
  }
  return kernel::remove_pin(directory + previous_pin);
}

}  // namespace

Clocks Clocks::now() {
  const auto monotonic = sonde::monotonic_ns();
  return {WallClock().wall_ns(static_cast<std::uint64_t>(monotonic)), monotonic};
}

Result<InstalledRules> InstalledRules::open(const std::string& directory) {
  auto slot = kernel::open_pin(directory + rules_pin);
  if (!slot) return std::unexpected(slot.error());
  if (!*slot) return fail(ErrorKind::failed, "the guard is not attached");
  auto current = current_or_empty(slot->get());
  if (!current) return std::unexpected(current.error());
  if (auto done = finish_interrupted(directory, slot->get(), *current); !done) return std::unexpected(done.error());
  return InstalledRules(directory, std::move(*slot), std::move(*current));
}

Result<RuleSet> InstalledRules::rules(const Clocks& clocks) const {
  const auto view = current_.view();
  if (!view) return std::unexpected(view.error());
  return restore(view->source(), clocks.offset());
}

StoreHeader InstalledRules::store() const {
  const auto view = current_.view();
  return view ? store_header(view->source()) : StoreHeader{};
}

Result<void> InstalledRules::replace(const RuleSet& rules, const Clocks& clocks) {
  const auto old = current_.view();
  if (!old) return std::unexpected(old.error());
  auto next = build(rules, clocks, old->generation() + 1);
  if (!next) return std::unexpected(next.error());
  const auto now = next->view();
  if (!now) return std::unexpected(now.error());
  if (auto pinned = kernel::pin(current_.fd(), directory_ + previous_pin); !pinned) return pinned;
  if (auto put = replace_rule_set(slot_.get(), *next); !put) {
    (void)kernel::remove_pin(directory_ + previous_pin);
    return put;
  }
  if (auto carried = carry_over(*old, *now, next->memory()); !carried) return carried;
  current_ = std::move(*next);
  return kernel::remove_pin(directory_ + previous_pin);
}

}  // namespace sonde::guard
