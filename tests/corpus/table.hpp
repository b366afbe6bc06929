// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <vector>

#include "judge.hpp"

namespace sonde::corpus {

struct Overall {
  int runs = 0, found = 0, missed = 0, false_alarms = 0;

  /// Of the events, those that are attacks; of the attacks, those that are found.
  [[nodiscard]] double precision() const {
    return found + false_alarms == 0 ? 1 : static_cast<double>(found) / (found + false_alarms);
  }
  [[nodiscard]] double recall() const {
    return found + missed == 0 ? 1 : static_cast<double>(found) / (found + missed);
  }
};

[[nodiscard]] Overall overall_of(const std::vector<Score>& scores);
/// In Markdown, as docs/detections.md has them.
[[nodiscard]] std::string options_table();
[[nodiscard]] std::string rows_of(const std::vector<Score>& scores);
/// Rows and sums.
[[nodiscard]] std::string table_of(const std::vector<Score>& scores);

}  // namespace sonde::corpus
