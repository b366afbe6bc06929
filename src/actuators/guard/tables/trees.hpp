// SPDX-License-Identifier: Apache-2.0
// Ranges to the nodes that a packet's address is looked up in.
#pragma once
#include <array>
#include <cstdint>
#include <vector>

#include "actuators/guard/tables/ranges.hpp"

namespace sonde::guard {

using Element = std::array<std::uint8_t, SONDE_GUARD_ELEMENT_SIZE>;

struct Trees {
  std::vector<Reference> index4;  ///< by the upper 16 bits; empty: no IPv4 network has a rule
  Reference root6 = no_rule;
  std::vector<Element> nodes;
};

/// `first_node`: the element of the map where the nodes will stand.
class TreeBuilder {
 public:
  explicit TreeBuilder(std::uint32_t first_node) : first_node_(first_node) {}

  void add_ipv4(const std::vector<Range<Address4>>& ranges);
  void add_ipv6(const std::vector<Range<Address6>>& ranges);
  [[nodiscard]] Trees take() { return std::move(trees_); }

 private:
  template <class Leaf, class Inner, class Key>
  [[nodiscard]] Reference tree(const std::vector<Key>& starts, const std::vector<Reference>& references);
  template <class Leaf, class Key>
  std::vector<Key> add_leaves(const std::vector<Key>& starts, const std::vector<Reference>& references);
  template <class Inner, class Key>
  std::vector<Key> add_inner(const std::vector<Key>& starts, std::uint32_t first_child);
  template <class Node>
  void add(const Node& node);
  [[nodiscard]] std::uint32_t next() const { return first_node_ + static_cast<std::uint32_t>(trees_.nodes.size()); }

  std::uint32_t first_node_;
  Trees trees_;
};

}  // namespace sonde::guard
