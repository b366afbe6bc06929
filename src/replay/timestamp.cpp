// SPDX-License-Identifier: Apache-2.0
#include "replay/timestamp.hpp"

#include <algorithm>
#include <limits>

namespace sonde::replay {
namespace {

constexpr std::uint8_t power_of_two = 0x80;
constexpr std::uint64_t second_ns = 1'000'000'000;

// Of less than a second.
std::uint64_t scale(std::uint64_t units, std::uint64_t units_per_second) {
  return static_cast<std::uint64_t>(static_cast<unsigned __int128>(units) * second_ns / units_per_second);
}

}  // namespace

std::optional<TimeUnit> TimeUnit::from_resolution(std::uint8_t if_tsresol) {
  const int exponent = if_tsresol & ~power_of_two;
  const bool binary = (if_tsresol & power_of_two) != 0;
  if (exponent > (binary ? 63 : 19)) return std::nullopt;
  TimeUnit unit;
  unit.units_per_second_ = 1;
  for (int i = 0; i < exponent; ++i) unit.units_per_second_ *= binary ? 2 : 10;
  unit.unit_ns_ = second_ns % unit.units_per_second_ == 0 ? second_ns / unit.units_per_second_ : 0;
  return unit;
}

std::int64_t TimeUnit::wall_ns(std::uint64_t timestamp) const {
  using Limits = std::numeric_limits<std::int64_t>;
  const auto seconds = static_cast<__int128>(timestamp / units_per_second_) + offset_seconds_;
  const std::uint64_t units = timestamp % units_per_second_;
  const std::uint64_t fraction_ns = unit_ns_ != 0 ? units * unit_ns_ : scale(units, units_per_second_);
  const __int128 total = seconds * static_cast<__int128>(second_ns) + fraction_ns;
  return static_cast<std::int64_t>(std::clamp<__int128>(total, Limits::min(), Limits::max()));
}

}  // namespace sonde::replay
