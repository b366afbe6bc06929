// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "detect/address.hpp"

namespace sonde::detect {

/// Counts by key in 32 kB whatever the number of keys (Cormode, Muthukrishnan 2005): never too small; with the
/// conservative update seldom more than 1/2048 of the sum too large.
class CountMin {
 public:
  CountMin() : cells_(rows * columns) {}

  /// Adds, and gives the key's count.
  std::uint64_t add(std::uint64_t hash, std::uint64_t count) {
    std::array<std::uint64_t*, rows> cells;
    auto least = ~std::uint64_t{0};
    for (std::size_t row = 0; row < rows; ++row) {
      cells[row] = &cells_[row * columns + combine(hash, row) % columns];
      least = std::min(least, *cells[row]);
    }
    for (auto* cell : cells) *cell = std::max(*cell, least + count);
    return least + count;
  }
  void clear() { std::ranges::fill(cells_, 0); }

 private:
  static constexpr std::size_t rows = 2, columns = 2048;
  std::vector<std::uint64_t> cells_;
};

}  // namespace sonde::detect
