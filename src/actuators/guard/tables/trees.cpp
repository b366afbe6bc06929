// SPDX-License-Identifier: Apache-2.0
#include "actuators/guard/tables/trees.hpp"

#include <algorithm>

namespace sonde::guard {
namespace {

using Keys = std::vector<std::uint64_t>;
using References = std::vector<Reference>;

// Gives the first key of each node.
Keys add_leaves(const Keys& starts, const References& references, Nodes& nodes) {
  Keys firsts;
  for (std::size_t at = 0; at < starts.size(); at += SONDE_GUARD_LEAF6_RANGES) {
    sonde_guard_leaf6 leaf{};
    fill_from(leaf.starts, starts, at);
    fill_from(leaf.references, references, at);
    nodes.add(leaf);
    firsts.push_back(starts[at]);
  }
  return firsts;
}

Keys add_inner(const Keys& starts, std::uint32_t first_child, Nodes& nodes) {
  Keys firsts;
  for (std::size_t at = 0; at < starts.size(); at += SONDE_GUARD_INNER6_KEYS) {
    sonde_guard_inner6 inner{};
    fill_from(inner.starts, starts, at);
    inner.children = first_child + static_cast<std::uint32_t>(at);
    inner.keys = static_cast<std::uint32_t>(std::min<std::size_t>(SONDE_GUARD_INNER6_KEYS, starts.size() - at));
    nodes.add(inner);
    firsts.push_back(starts[at]);
  }
  return firsts;
}

// The levels one after the other, the leaves first, so that the children of a node stand side by side.
Reference add_tree(const Keys& starts, const References& references, Nodes& nodes) {
  if (starts.size() == 1) return references[0];
  auto level = nodes.next();
  auto firsts = add_leaves(starts, references, nodes);
  std::uint32_t depth = 0;
  for (; firsts.size() > 1; ++depth) {
    const auto children = level;
    level = nodes.next();
    firsts = add_inner(firsts, children, nodes);
  }
  return node_reference(level, depth);
}

std::uint64_t upper_half(Address6 address) { return static_cast<std::uint64_t>(address >> 64); }

/// Starts with what the half before has, and takes ranges of one upper half.
class LowerHalf {
 public:
  void begin(Reference current) {
    starts_.assign(1, 0);
    references_.assign(1, current);
  }
  void add(std::uint64_t start, Reference reference) {
    if (start == 0) {
      references_.back() = reference;
    } else {
      starts_.push_back(start);
      references_.push_back(reference);
    }
  }
  [[nodiscard]] Reference tree(Nodes& nodes) const { return add_tree(starts_, references_, nodes); }

 private:
  Keys starts_;
  References references_;
};

class UpperHalves {
 public:
  UpperHalves() { put(0, no_rule); }
  void put(std::uint64_t upper, Reference reference) {
    if (!starts_.empty() && starts_.back() == upper) {
      starts_.pop_back();
      references_.pop_back();
    }
    if (!references_.empty() && references_.back() == reference) return;
    starts_.push_back(upper);
    references_.push_back(reference);
  }
  [[nodiscard]] Reference tree(Nodes& nodes) const { return add_tree(starts_, references_, nodes); }

 private:
  Keys starts_;
  References references_;
};

}  // namespace

// First the trees of the lower halves, for those upper halves within which a range starts; then that of the upper ones.
Reference add_ipv6(const std::vector<Range<Address6>>& ranges, Nodes& nodes) {
  UpperHalves uppers;
  LowerHalf lower;
  Reference current = no_rule;
  for (auto range = ranges.begin(); range != ranges.end();) {
    const auto upper = upper_half(range->first);
    lower.begin(current);
    for (; range != ranges.end() && upper_half(range->first) == upper; ++range) {
      current = range->reference;
      lower.add(static_cast<std::uint64_t>(range->first), current);
    }
    uppers.put(upper, lower.tree(nodes));
    if (upper != UINT64_MAX) uppers.put(upper + 1, current);
  }
  return uppers.tree(nodes);
}

}  // namespace sonde::guard
