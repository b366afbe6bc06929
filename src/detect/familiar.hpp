// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <vector>

namespace sonde::detect {

/// Remembers hashes: each has one place, where the next one overwrites it. Never says yes to what it was not given
/// (but for a hash of 64 bits that is the same).
class Familiar {
 public:
  explicit Familiar(std::size_t places) : hashes_(places) {}
  void add(std::uint64_t hash) { hashes_[hash % hashes_.size()] = hash; }
  [[nodiscard]] bool contains(std::uint64_t hash) const { return hashes_[hash % hashes_.size()] == hash; }

 private:
  std::vector<std::uint64_t> hashes_;
};

}  // namespace sonde::detect
