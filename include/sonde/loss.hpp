// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "sonde/export.hpp"

namespace sonde {

/// One stage on the way of a packet. taken = given + filtered + lost, always.
struct LossStage {
  std::string name;            ///< "hook", "ring", "decode", "output", ...
  std::uint64_t taken = 0;     ///< packets that entered the stage
  std::uint64_t given = 0;     ///< packets handed to the next stage
  std::uint64_t filtered = 0;  ///< packets left out because the user asked for it (filter, -c)
  std::uint64_t lost = 0;      ///< packets that should have gone on and did not
  std::string note;            ///< why packets were lost or what the numbers mean; may be empty
};

/// Every stage from hook to sink, in order. The ledger is shown also when nothing was lost.
struct SONDE_EXPORT LossReport {
  std::vector<LossStage> stages;

  /// Sum of the packets lost at all stages.
  [[nodiscard]] std::uint64_t lost() const;
  /// Every stage's sum holds, and each stage took exactly what the stage before it gave.
  [[nodiscard]] bool balanced() const;
};

}  // namespace sonde
