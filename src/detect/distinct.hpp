// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <array>
#include <cstdint>
#include <unordered_set>
#include <vector>

namespace sonde::detect {

/// How many different values there were: exact up to 1000, then HyperLogLog with 1024 registers (standard error 3.3 %;
/// Flajolet et al. 2007). At most 35 kB.
class Distinct {
 public:
  /// Takes a hash whose bits are spread (mix()). True if it is surely new; above 1000 that is not known any more, and
  /// true means that the estimate may have changed.
  bool add(std::uint64_t hash);
  [[nodiscard]] std::uint64_t count() const;
  /// Is it surely among them? Above 1000 nothing is sure.
  [[nodiscard]] bool contains(std::uint64_t hash) const { return exact_.contains(hash); }

 private:
  bool add_to_registers(std::uint64_t hash);
  std::unordered_set<std::uint64_t> exact_;
  std::vector<std::uint8_t> registers_;  ///< empty: exact
};

/// One bit a port.
class PortSet {
 public:
  bool add(std::uint16_t port) {
    if (bits_.empty()) bits_.resize(1024);
    auto& word = bits_[port >> 6];
    const auto bit = std::uint64_t{1} << (port & 63);
    const bool is_new = !(word & bit);
    word |= bit;
    count_ += is_new;
    return is_new;
  }
  [[nodiscard]] std::uint32_t count() const { return count_; }

 private:
  std::vector<std::uint64_t> bits_;
  std::uint32_t count_ = 0;
};

}  // namespace sonde::detect
