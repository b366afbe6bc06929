// SPDX-License-Identifier: Apache-2.0
// The elements of the tables that addresses are looked up in.
#pragma once
#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <vector>

#include "actuators/guard/guard.abi.h"

namespace sonde::guard {

using Element = std::array<std::uint8_t, SONDE_GUARD_ELEMENT_SIZE>;

class Nodes {
 public:
  template <class Node>
  void add(const Node& node) {
    elements_.push_back(std::bit_cast<Element>(node));
  }
  /// As many elements as they take; a last one is filled up with zeros.
  template <class Value>
  void add_all(const std::vector<Value>& values) {
    const auto bytes = values.size() * sizeof(Value);
    const auto at = elements_.size();
    elements_.resize(at + (bytes + sizeof(Element) - 1) / sizeof(Element));
    std::memcpy(elements_[at].data(), values.data(), bytes);
  }

  /// The element that the next one will be, from the section's start on.
  [[nodiscard]] std::uint32_t next() const { return static_cast<std::uint32_t>(elements_.size()); }
  [[nodiscard]] const std::vector<Element>& elements() const { return elements_; }

 private:
  std::vector<Element> elements_;
};

/// Fills `out` from `from` on; behind the end, the last one again.
template <class Out, std::size_t Size, class Value>
void fill_from(Out (&out)[Size], const std::vector<Value>& from, std::size_t at) {
  for (std::size_t i = 0; i < Size; ++i) out[i] = static_cast<Out>(from[std::min(at + i, from.size() - 1)]);
}

}  // namespace sonde::guard
