// SPDX-License-Identifier: Apache-2.0
// Plays scenes and says what was found, missed and imagined.
#pragma once
#include <string>
#include <vector>

#include "scenes.hpp"

namespace sonde::corpus {

struct Score {
  std::string scene;
  std::string what;
  bool attack = false;
  int runs = 0;
  int found = 0;
  int missed = 0;
  int false_alarms = 0;            ///< events that are no attack of the scene, and second events of one attack
  std::vector<double> seconds;     ///< from the attack's first packet to the event, of each that was found
  std::vector<std::string> notes;  ///< of each run that was not as it should be
};

[[nodiscard]] Score judge_benign(const BenignScene& scene, int runs, std::uint64_t first_seed = 1);
/// Every other run is mixed with one or two benign scenes.
[[nodiscard]] Score judge_attack(const AttackScene& scene, int runs, std::uint64_t first_seed = 1);
/// Three to five short benign scenes at a time.
[[nodiscard]] Score judge_mixes(int runs, std::uint64_t first_seed = 1);

}  // namespace sonde::corpus
