// SPDX-License-Identifier: Apache-2.0
#include "actuators/guard/tables/trees.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <iterator>

namespace sonde::guard {
namespace {

constexpr std::uint32_t low_bits = 0xffff;

// Fills `out` from `from` on; behind the end, the last one again: it never compares differently from the last.
template <class Out, std::size_t Size, class Value>
void fill_from(Out (&out)[Size], const std::vector<Value>& from, std::size_t at) {
  for (std::size_t i = 0; i < Size; ++i) out[i] = from[std::min(at + i, from.size() - 1)];
}

}  // namespace

template <class Node>
void TreeBuilder::add(const Node& node) {
  trees_.nodes.push_back(std::bit_cast<Element>(node));
}

// Gives the first key of each node.
template <class Leaf, class Key>
std::vector<Key> TreeBuilder::add_leaves(const std::vector<Key>& starts, const std::vector<Reference>& references) {
  std::vector<Key> firsts;
  for (std::size_t at = 0; at < starts.size(); at += std::size(Leaf{}.starts)) {
    Leaf leaf{};
    fill_from(leaf.starts, starts, at);
    fill_from(leaf.references, references, at);
    add(leaf);
    firsts.push_back(starts[at]);
  }
  return firsts;
}

template <class Inner, class Key>
std::vector<Key> TreeBuilder::add_inner(const std::vector<Key>& starts, std::uint32_t first_child) {
  std::vector<Key> firsts;
  for (std::size_t at = 0; at < starts.size(); at += std::size(Inner{}.starts)) {
    Inner inner{};
    fill_from(inner.starts, starts, at);
    inner.children = first_child + static_cast<std::uint32_t>(at);
    inner.keys = static_cast<std::uint32_t>(std::min(std::size(inner.starts), starts.size() - at));
    add(inner);
    firsts.push_back(starts[at]);
  }
  return firsts;
}

// The levels one after the other, the leaves first, so that the children of a node stand side by side.
template <class Leaf, class Inner, class Key>
Reference TreeBuilder::tree(const std::vector<Key>& starts, const std::vector<Reference>& references) {
  if (starts.size() == 1) return references[0];
  auto level = next();
  auto firsts = add_leaves<Leaf>(starts, references);
  std::uint32_t depth = 0;
  for (; firsts.size() > 1; ++depth) {
    const auto children = level;
    level = next();
    firsts = add_inner<Inner>(firsts, children);
  }
  return node_reference(level, depth);
}

void TreeBuilder::add_ipv4(const std::vector<Range<Address4>>& ranges) {
  trees_.index4.resize(SONDE_GUARD_INDEX4_ENTRIES);
  std::vector<std::uint16_t> starts;
  std::vector<Reference> references;
  Reference current = no_rule;
  auto range = ranges.begin();
  for (std::uint32_t high = 0; high < SONDE_GUARD_INDEX4_ENTRIES; ++high) {
    starts.assign(1, 0);
    references.assign(1, current);
    for (; range != ranges.end() && range->first >> 16 == high; ++range) {
      current = range->reference;
      if (const auto low = static_cast<std::uint16_t>(range->first & low_bits); low != 0) {
        starts.push_back(low);
        references.push_back(current);
      } else {
        references.back() = current;
      }
    }
    trees_.index4[high] = tree<sonde_guard_leaf4, sonde_guard_inner4>(starts, references);
  }
}

// First the trees of the lower halves, for those upper halves within which a range starts; then the tree of the upper
// ones.
void TreeBuilder::add_ipv6(const std::vector<Range<Address6>>& ranges) {
  std::vector<std::uint64_t> uppers, starts;
  std::vector<Reference> upper_references, references;
  Reference current = no_rule;
  const auto put = [&](std::uint64_t upper, Reference reference) {
    if (!upper_references.empty() && upper_references.back() == reference) return;
    uppers.push_back(upper);
    upper_references.push_back(reference);
  };
  put(0, no_rule);
  for (auto range = ranges.begin(); range != ranges.end();) {
    const auto upper = static_cast<std::uint64_t>(range->first >> 64);
    starts.assign(1, 0);
    references.assign(1, current);
    for (; range != ranges.end() && static_cast<std::uint64_t>(range->first >> 64) == upper; ++range) {
      current = range->reference;
      if (const auto low = static_cast<std::uint64_t>(range->first); low != 0) {
        starts.push_back(low);
        references.push_back(current);
      } else {
        references.back() = current;
      }
    }
    if (uppers.back() == upper) {
      uppers.pop_back();
      upper_references.pop_back();
    }
    put(upper, tree<sonde_guard_leaf6, sonde_guard_inner6>(starts, references));
    const bool next_is_new = range == ranges.end() || static_cast<std::uint64_t>(range->first >> 64) != upper + 1;
    if (upper != UINT64_MAX && next_is_new) put(upper + 1, current);
  }
  trees_.root6 = tree<sonde_guard_leaf6, sonde_guard_inner6>(uppers, upper_references);
}

}  // namespace sonde::guard
