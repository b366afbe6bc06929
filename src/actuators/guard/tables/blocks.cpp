// SPDX-License-Identifier: Apache-2.0
#include "actuators/guard/tables/blocks.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <span>

namespace sonde::guard {
namespace {

using Ranges = std::span<const Range<Address4>>;

constexpr std::uint32_t blocks_in_slice = 256;
constexpr std::uint32_t addresses_in_block = 256;
constexpr std::size_t most_candidates = 8;
constexpr std::uint8_t last_byte = 255;

/// A /24 as ranges of last bytes, the first from 0 on.
struct Block {
  std::vector<std::uint8_t> starts;
  std::vector<Reference> references;

  [[nodiscard]] bool uniform() const { return starts.size() == 1; }
};

/// A /24 that differs from the rest of its /16.
struct Entry {
  std::uint32_t block;
  Reference reference;
  std::uint8_t first, last;  ///< the last bytes that it is for
};

class SliceBuilder {
 public:
  SliceBuilder(std::vector<Entry>& entries, Nodes& nodes) : entries_(entries), nodes_(nodes) {}

  /// `current`: what goes on from before; gives what goes on behind.
  Reference read(std::uint32_t slice, Ranges& ranges, Reference current) {
    for (std::uint32_t number = 0; number < blocks_in_slice; ++number)
      current = read_block(slice << 8 | number, ranges, current, blocks_[number]);
    return current;
  }

  /// The reference of a slice that has been read.
  Reference make(std::uint32_t slice) {
    const auto others = most_frequent();
    const auto before = entries_.size();
    for (std::uint32_t number = 0; number < blocks_in_slice; ++number) {
      const auto& block = blocks_[number];
      if (!block.uniform() || block.references[0] != others)
        entries_.push_back(make_entry(slice << 8 | number, block, others));
    }
    return entries_.size() == before ? others : others | SONDE_GUARD_BLOCKS_DIFFER;
  }

 private:
  static Reference read_block(std::uint32_t number, Ranges& ranges, Reference current, Block& block) {
    block.starts.assign(1, 0);
    block.references.assign(1, current);
    for (; !ranges.empty() && ranges.front().first >> 8 == number; ranges = ranges.subspan(1)) {
      current = ranges.front().reference;
      const auto start = static_cast<std::uint8_t>(ranges.front().first & 255);
      if (start == 0) {
        block.references.back() = current;
      } else {
        block.starts.push_back(start);
        block.references.push_back(current);
      }
    }
    return current;
  }

  // Of the first few that occur: which one it is decides about memory, not about what is found.
  [[nodiscard]] Reference most_frequent() const {
    std::array<std::pair<Reference, std::uint32_t>, most_candidates> seen{};
    std::size_t candidates = 0;
    for (const auto& block : blocks_) {
      if (!block.uniform()) continue;
      auto* const end = seen.begin() + candidates;
      auto* const found =
          std::find_if(seen.begin(), end, [&](const auto& one) { return one.first == block.references[0]; });
      if (found != end) {
        ++found->second;
      } else if (candidates < seen.size()) {
        seen[candidates++] = {block.references[0], 1};
      }
    }
    if (candidates == 0) return no_rule;
    return std::max_element(seen.begin(), seen.begin() + candidates,
                            [](const auto& a, const auto& b) { return a.second < b.second; })
        ->first;
  }

  // One range that differs stands in the entry itself.
  Entry make_entry(std::uint32_t number, const Block& block, Reference others) {
    std::size_t differing = 0, place = 0;
    for (std::size_t i = 0; i < block.references.size(); ++i)
      if (block.references[i] != others) ++differing, place = i;
    if (differing != 1) return {number, add_node(block), 0, last_byte};
    const bool to_end = place + 1 == block.starts.size();
    return {number, block.references[place], block.starts[place],
            to_end ? last_byte : static_cast<std::uint8_t>(block.starts[place + 1] - 1)};
  }

  Reference add_node(const Block& block) {
    const auto element = nodes_.next();
    if (block.starts.size() <= SONDE_GUARD_LEAF4_RANGES) {
      sonde_guard_leaf4 leaf{};
      fill_from(leaf.starts, block.starts, 0);
      fill_from(leaf.references, block.references, 0);
      nodes_.add(leaf);
      return node_reference(element, 0);
    }
    std::vector<Reference> table(addresses_in_block);
    for (std::size_t i = 0; i < block.starts.size(); ++i)
      std::fill(table.begin() + block.starts[i], table.end(), block.references[i]);
    nodes_.add_all(table);
    return node_reference(element, 1);
  }

  std::vector<Entry>& entries_;
  Nodes& nodes_;
  std::array<Block, blocks_in_slice> blocks_;
};

/// False: the entry finds no room.
bool insert(std::vector<sonde_guard_bucket4>& buckets, int bits, const Entry& entry) {
  const auto hash = SONDE_GUARD_BUCKET4_HASH(entry.block);
  const auto home = hash >> (24 - bits);
  const auto tag = hash & ((1U << (24 - bits)) - 1);
  for (std::uint32_t probe = 0; probe < SONDE_GUARD_BUCKET4_PROBES; ++probe) {
    auto& bucket = buckets[(home + probe) & (buckets.size() - 1)];
    auto* const slot = std::ranges::find(bucket.tags, std::uint16_t{SONDE_GUARD_TAG_NONE});
    if (slot == std::end(bucket.tags)) continue;
    const auto place = slot - bucket.tags;
    *slot = static_cast<std::uint16_t>(tag | probe << SONDE_GUARD_TAG_PROBE_SHIFT);
    bucket.references[place] = entry.reference;
    bucket.firsts[place] = entry.first;
    bucket.lasts[place] = entry.last;
    return true;
  }
  return false;
}

// Half full at most; twice as many where that is not enough for every entry.
std::vector<sonde_guard_bucket4> make_buckets(const std::vector<Entry>& entries) {
  constexpr std::size_t wanted_in_bucket = SONDE_GUARD_BUCKET4_BLOCKS / 2;
  int bits = SONDE_GUARD_BUCKET4_LEAST_BITS;
  while (bits < SONDE_GUARD_BUCKET4_MOST_BITS && entries.size() > wanted_in_bucket << bits) ++bits;
  sonde_guard_bucket4 empty{};
  std::ranges::fill(empty.tags, std::uint16_t{SONDE_GUARD_TAG_NONE});
  for (;; ++bits) {
    std::vector<sonde_guard_bucket4> buckets(std::size_t{1} << bits, empty);
    if (std::ranges::all_of(entries, [&](const Entry& entry) { return insert(buckets, bits, entry); })) return buckets;
  }
}

/// Calls with the number of each /24 in which an address has a rule, once.
template <class Function>
void for_each_block(Ranges ranges, std::uint64_t most, Function function) {
  std::uint64_t next = 0;  // block that was not called with yet
  for (std::size_t i = 0; i < ranges.size() && most > 0; ++i) {
    if (ranges[i].reference == no_rule) continue;
    const auto last = i + 1 < ranges.size() ? ranges[i + 1].first - 1 : UINT32_MAX;
    for (next = std::max<std::uint64_t>(next, ranges[i].first >> 8); next <= last >> 8 && most > 0; ++next, --most)
      function(static_cast<std::uint32_t>(next));
  }
}

}  // namespace

std::vector<std::uint32_t> make_filter(const std::vector<Range<Address4>>& ranges) {
  constexpr auto most_blocks = (std::uint64_t{1} << SONDE_GUARD_FILTER4_MOST_BITS) / SONDE_GUARD_FILTER4_SPARSITY;
  std::uint64_t blocks = 0;
  for_each_block(ranges, most_blocks + 1, [&](std::uint32_t) { ++blocks; });
  if (blocks > most_blocks) return {};
  const auto bits =
      std::max<int>(SONDE_GUARD_FILTER4_LEAST_BITS,
                    std::bit_width(std::max<std::uint64_t>(1, blocks * SONDE_GUARD_FILTER4_SPARSITY - 1)));
  std::vector<std::uint32_t> filter((std::size_t{1} << bits) / 32);
  for_each_block(ranges, UINT64_MAX, [&](std::uint32_t block) {
    const auto place = SONDE_GUARD_FILTER4_HASH(block, bits);
    filter[place / 32] |= 1U << place % 32;
  });
  return filter;
}

Blocks add_ipv4(const std::vector<Range<Address4>>& all, Nodes& nodes) {
  Blocks out;
  std::vector<Entry> entries;
  SliceBuilder builder(entries, nodes);
  Ranges ranges = all;
  Reference current = no_rule;
  for (std::uint32_t slice = 0; slice < SONDE_GUARD_INDEX4_ENTRIES; ++slice) {
    if (!ranges.empty() && ranges.front().first == slice << 16) {
      current = ranges.front().reference;
      ranges = ranges.subspan(1);
    }
    if (ranges.empty() || ranges.front().first >> 16 != slice) {
      out.index.push_back(current);
    } else {
      current = builder.read(slice, ranges, current);
      out.index.push_back(builder.make(slice));
    }
  }
  out.buckets = make_buckets(entries);
  return out;
}

}  // namespace sonde::guard
