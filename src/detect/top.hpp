// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

namespace sonde::detect {

/// The most frequent values, by "space saving" (Metwally, Agrawal, El Abbadi 2005): a new value takes the place and the
/// count of the rarest one, so counts are never too small, and at most sum / size too large.
template <class Key>
class Top {
 public:
  explicit Top(std::size_t size) : size_(size) {}

  void add(const Key& key, std::uint64_t count) {
    sum_ += count;
    const auto known = std::ranges::find(entries_, key, &Entry::first);
    if (known != entries_.end()) {
      known->second += count;
    } else if (entries_.size() < size_) {
      entries_.emplace_back(key, count);
    } else {
      auto& rarest = *std::ranges::min_element(entries_, {}, &Entry::second);
      rarest = {key, rarest.second + count};
    }
  }

  using Entry = std::pair<Key, std::uint64_t>;
  /// The most frequent first.
  [[nodiscard]] std::vector<Entry> sorted() const {
    auto all = entries_;
    std::ranges::stable_sort(all, std::ranges::greater{}, &Entry::second);
    return all;
  }
  [[nodiscard]] std::uint64_t sum() const { return sum_; }

 private:
  std::size_t size_;
  std::vector<Entry> entries_;
  std::uint64_t sum_ = 0;
};

}  // namespace sonde::detect
