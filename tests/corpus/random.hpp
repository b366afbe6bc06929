// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cmath>
#include <cstdint>

namespace sonde::corpus {

/// splitmix64 (Steele, Lea, Flood 2014): the same numbers from a seed on every machine.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15ULL + 0x1234567) {}

  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
    return z ^ z >> 31;
  }
  /// From 0 to 1, without 1.
  double fraction() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }
  /// Both ends are possible.
  std::uint32_t between(std::uint32_t least, std::uint32_t most) {
    return least + static_cast<std::uint32_t>(next() % (std::uint64_t{most} - least + 1));
  }
  double between_real(double least, double most) { return least + (most - least) * fraction(); }
  bool chance(double probability) { return fraction() < probability; }
  /// Time to the next event of a Poisson process.
  double exponential(double mean) { return -mean * std::log(1 - fraction()); }

 private:
  std::uint64_t state_;
};

}  // namespace sonde::corpus
