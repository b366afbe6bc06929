// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <cmath>

namespace sonde::detect {

/// What is usual, as exponentially weighted mean and variance (West 1979, with constant weight). The weight is that of
/// one second in some two minutes.
class Baseline {
 public:
  void learn(double rate) {
    constexpr double weight = 2.0 / 121;
    const double difference = rate - mean_;
    mean_ += weight * difference;
    variance_ = (1 - weight) * (variance_ + weight * difference * difference);
  }
  [[nodiscard]] double mean() const { return mean_; }
  [[nodiscard]] double deviation() const { return std::sqrt(variance_); }

 private:
  double mean_ = 0;
  double variance_ = 0;
};

}  // namespace sonde::detect
