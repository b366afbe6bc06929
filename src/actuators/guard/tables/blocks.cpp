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

class SliceBuilder {
 public:
  SliceBuilder(Blocks& out, Nodes& nodes) : out_(out), nodes_(nodes) {}

  /// `current`: what goes on from before; gives what goes on behind.
  Reference read(std::uint32_t slice, Ranges& ranges, Reference current) {
    for (std::uint32_t number = 0; number < blocks_in_slice; ++number)
      current = read_block(slice << 8 | number, ranges, current, blocks_[number]);
    return current;
  }

  /// For a slice that has been read.
  [[nodiscard]] sonde_guard_slice4 make() {
    sonde_guard_slice4 slice{};
    slice.first_entry = static_cast<std::uint32_t>(out_.entries.size());
    slice.reference = most_frequent();
    for (std::uint32_t number = 0; number < blocks_in_slice; ++number) {
      if (number % 64 == 0)
        slice.entries_before[number / 64] = static_cast<std::uint8_t>(out_.entries.size() - slice.first_entry);
      const auto& block = blocks_[number];
      if (block.uniform() && block.references[0] == slice.reference) continue;
      slice.blocks[number / 64] |= std::uint64_t{1} << number % 64;
      out_.entries.push_back(make_entry(block, slice.reference));
    }
    return slice;
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

  // One range that differs from the slice stands in the entry itself.
  sonde_guard_entry4 make_entry(const Block& block, Reference others) {
    std::size_t differing = 0, place = 0;
    for (std::size_t i = 0; i < block.references.size(); ++i)
      if (block.references[i] != others) ++differing, place = i;
    sonde_guard_entry4 entry{};
    entry.last = last_byte;
    if (differing != 1) {
      entry.reference = add_node(block);
      return entry;
    }
    entry.reference = block.references[place];
    entry.first = block.starts[place];
    if (place + 1 < block.starts.size()) entry.last = static_cast<std::uint8_t>(block.starts[place + 1] - 1);
    return entry;
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

  Blocks& out_;
  Nodes& nodes_;
  std::array<Block, blocks_in_slice> blocks_;
};

}  // namespace

Blocks add_ipv4(const std::vector<Range<Address4>>& all, Nodes& nodes) {
  Blocks out;
  SliceBuilder builder(out, nodes);
  Ranges ranges = all;
  Reference current = no_rule;
  std::vector<sonde_guard_slice4> slices;
  for (std::uint32_t high = 0; high < SONDE_GUARD_INDEX4_ENTRIES; ++high) {
    if (!ranges.empty() && ranges.front().first == high << 20)
      current = ranges.front().reference, ranges = ranges.subspan(1);
    if (ranges.empty() || ranges.front().first >> 20 != high) {
      out.index.push_back(current);
      continue;
    }
    slices.clear();
    for (std::uint32_t slice = 0; slice < SONDE_GUARD_SLICES; ++slice) {
      current = builder.read(high << 4 | slice, ranges, current);
      slices.push_back(builder.make());
    }
    out.index.push_back(node_reference(nodes.next(), 0));
    nodes.add_all(slices);
  }
  return out;
}

}  // namespace sonde::guard
