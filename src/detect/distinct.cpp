// SPDX-License-Identifier: Apache-2.0
#include "detect/distinct.hpp"

#include <bit>
#include <cmath>

namespace sonde::detect {

namespace {

constexpr std::size_t exact_limit = 1000;
constexpr int index_bits = 10;
constexpr std::size_t register_count = std::size_t{1} << index_bits;

}  // namespace

bool Distinct::add(std::uint64_t hash) {
  if (!registers_.empty()) return add_to_registers(hash);
  if (!exact_.insert(hash).second) return false;
  if (exact_.size() <= exact_limit) return true;
  registers_.resize(register_count);
  for (const auto each : exact_) add_to_registers(each);
  exact_ = {};
  return true;
}

bool Distinct::add_to_registers(std::uint64_t hash) {
  const auto rest = hash << index_bits;
  const auto rank = static_cast<std::uint8_t>(rest == 0 ? 64 - index_bits + 1 : std::countl_zero(rest) + 1);
  auto& best = registers_[hash >> (64 - index_bits)];
  if (rank <= best) return false;
  best = rank;
  return true;
}

std::uint64_t Distinct::count() const {
  if (registers_.empty()) return exact_.size();
  double sum = 0;
  std::size_t zeros = 0;
  for (const auto rank : registers_) {
    sum += std::ldexp(1.0, -rank);
    zeros += rank == 0;
  }
  constexpr double m = register_count;
  const double estimate = 0.7213 / (1 + 1.079 / m) * m * m / sum;
  // Small range correction: linear counting.
  const double corrected = estimate <= 2.5 * m && zeros > 0 ? m * std::log(m / static_cast<double>(zeros)) : estimate;
  return static_cast<std::uint64_t>(std::llround(corrected));
}

}  // namespace sonde::detect
