// SPDX-License-Identifier: Apache-2.0
// Times without end in constant memory.
#pragma once
#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <limits>

namespace sonde::exporter {

/// Minimum and maximum are exact, the median is within 1/64 of the true one.
class LatencyHistogram {
 public:
  void add(std::uint64_t value) {
    ++buckets_[bucket_of(value)];
    ++count_;
    min_ = std::min(min_, value);
    max_ = std::max(max_, value);
  }

  [[nodiscard]] std::uint64_t count() const { return count_; }
  /// Of these, only with count() > 0.
  [[nodiscard]] std::uint64_t min() const { return min_; }
  [[nodiscard]] std::uint64_t max() const { return max_; }
  [[nodiscard]] std::uint64_t median() const {
    std::uint64_t seen = 0;
    std::size_t bucket = 0;
    while (bucket + 1 < buckets_.size() && (seen += buckets_[bucket]) * 2 < count_) ++bucket;
    return std::clamp(middle_of(bucket), min_, max_);
  }

 private:
  // 32 buckets for each power of two; values below 64 have one each.
  static constexpr unsigned steps_log2 = 5;
  static constexpr std::uint64_t steps = 1U << steps_log2;

  static std::size_t bucket_of(std::uint64_t value) {
    if (value < 2 * steps) return value;
    const auto shift = static_cast<unsigned>(std::bit_width(value)) - steps_log2 - 1;
    return (shift + 1) * steps + ((value >> shift) - steps);
  }

  static std::uint64_t middle_of(std::size_t bucket) {
    if (bucket < 2 * steps) return bucket;
    const auto shift = static_cast<unsigned>(bucket / steps - 1);
    const std::uint64_t lowest = (steps + bucket % steps) << shift;
    return lowest + ((std::uint64_t{1} << shift) >> 1U);
  }

  std::array<std::uint64_t, (64 - steps_log2 + 1) * steps> buckets_{};
  std::uint64_t count_ = 0;
  std::uint64_t min_ = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t max_ = 0;
};

}  // namespace sonde::exporter
