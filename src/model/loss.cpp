// SPDX-License-Identifier: Apache-2.0
#include "sonde/loss.hpp"

namespace sonde {

std::uint64_t LossReport::lost() const {
  std::uint64_t sum = 0;
  for (const auto& stage : stages) sum += stage.lost;
  return sum;
}

bool LossReport::balanced() const {
  const LossStage* before = nullptr;
  for (const auto& stage : stages) {
    if (stage.taken != stage.given + stage.filtered + stage.lost) return false;
    if (before != nullptr && before->given != stage.taken) return false;
    before = &stage;
  }
  return true;
}

}  // namespace sonde
