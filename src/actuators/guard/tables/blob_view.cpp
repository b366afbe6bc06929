// SPDX-License-Identifier: Apache-2.0
#include "actuators/guard/tables/blob_view.hpp"

#include <algorithm>
#include <string>

namespace sonde::guard {
namespace {

// What a running program writes is read as it stands: each number at once, never torn.
std::uint64_t load(const std::uint64_t& value) { return __atomic_load_n(&value, __ATOMIC_RELAXED); }

const std::uint8_t* at_element(std::span<const std::uint8_t> bytes, std::uint32_t element) {
  return bytes.data() + std::size_t{element} * SONDE_GUARD_ELEMENT_SIZE;
}

bool fits(const sonde_guard_header& header, std::uint32_t first, std::uint64_t bytes) {
  return first <= header.elements &&
         bytes <= (std::uint64_t{header.elements} - first) * std::uint64_t{SONDE_GUARD_ELEMENT_SIZE};
}

bool sound(const sonde_guard_header& header, std::size_t bytes) {
  const auto shards = std::uint64_t{header.shards} + 1;
  return std::uint64_t{header.elements} * SONDE_GUARD_ELEMENT_SIZE <= bytes &&
         fits(header, header.ids, header.rules * sizeof(std::uint64_t)) &&
         fits(header, header.source, header.source_size) &&
         fits(header, header.limits, header.limit_count * sizeof(std::uint32_t)) &&
         fits(header, header.records, header.record_count * sizeof(sonde_guard_record)) &&
         fits(header, header.counters, shards * header.shard_elements * SONDE_GUARD_ELEMENT_SIZE) &&
         std::uint64_t{header.rules} + header.limit_count <=
             std::uint64_t{header.shard_elements} * SONDE_GUARD_COUNTERS;
}

}  // namespace

Result<BlobView> BlobView::open(std::span<const std::uint8_t> bytes) {
  const BlobView view(bytes);
  if (bytes.size() < SONDE_GUARD_ELEMENT_SIZE || view.header().magic != SONDE_GUARD_MAGIC)
    return fail(ErrorKind::failed, "the map holds no rule set of the guard");
  if (view.header().version != SONDE_GUARD_VERSION)
    return fail(ErrorKind::failed,
                "the rule set in the kernel has version " + std::to_string(view.header().version) +
                    ", this sonde has " + std::to_string(SONDE_GUARD_VERSION),
                "detach the guard with the sonde that attached it");
  if (!sound(view.header(), bytes.size())) return fail(ErrorKind::failed, "the rule set in the kernel is damaged");
  return view;
}

const sonde_guard_header& BlobView::header() const {
  return *reinterpret_cast<const sonde_guard_header*>(bytes_.data());
}

std::string_view BlobView::source() const {
  return {reinterpret_cast<const char*>(at_element(bytes_, header().source)), header().source_size};
}

std::uint64_t BlobView::id(std::uint32_t rule) const {
  return reinterpret_cast<const std::uint64_t*>(at_element(bytes_, header().ids))[rule];
}

GuardCount BlobView::sum(std::uint32_t counter) const {
  GuardCount count;
  for (std::uint32_t shard = 0; shard <= header().shards; ++shard) {
    const auto* counters = reinterpret_cast<const sonde_guard_counter*>(
        at_element(bytes_, header().counters + shard * header().shard_elements));
    count.packets += load(counters[counter].packets);
    count.bytes += load(counters[counter].bytes);
  }
  return count;
}

GuardCount BlobView::count(std::uint32_t rule) const { return sum(rule); }

GuardCount BlobView::limited(std::uint32_t rule) const {
  const auto* limits = reinterpret_cast<const std::uint32_t*>(at_element(bytes_, header().limits));
  const auto* end = limits + header().limit_count;
  const auto* found = std::lower_bound(limits, end, rule);
  if (found == end || *found != rule) return {};
  return sum(header().rules + static_cast<std::uint32_t>(found - limits));
}

void carry_counts(const BlobView& old, std::span<std::uint8_t> now, std::span<const std::uint32_t> origin) {
  const auto view = BlobView::open(now);
  if (!view) return;
  const auto& header = view->header();
  auto* carried = reinterpret_cast<sonde_guard_counter*>(
      now.data() + std::size_t{header.counters + header.shards * header.shard_elements} * SONDE_GUARD_ELEMENT_SIZE);
  const auto add = [&](std::uint32_t counter, GuardCount count) {
    carried[counter].packets += count.packets;
    carried[counter].bytes += count.bytes;
  };
  const auto* limits = reinterpret_cast<const std::uint32_t*>(at_element(now, header.limits));
  for (std::uint32_t rule = 0, limit = 0; rule < std::min<std::size_t>(header.rules, origin.size()); ++rule) {
    const bool is_limit = limit < header.limit_count && limits[limit] == rule;
    if (origin[rule] < old.rules()) {
      add(rule, old.count(origin[rule]));
      if (is_limit) add(header.rules + limit, old.limited(origin[rule]));
    }
    if (is_limit) ++limit;
  }
}

}  // namespace sonde::guard
