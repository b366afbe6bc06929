// SPDX-License-Identifier: Apache-2.0
// detect_judgement [RUNS [SCENE [SEED]]]: plays every scene (or one, or "all") RUNS times, with seeds from SEED (1) on,
// and prints the table of docs/detections.md.
// detect_judgement limits [RUNS]: the same for what is known to be missed or imagined.
// detect_judgement options: prints its table of thresholds.
#include <fmt/core.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>

#include "judge.hpp"
#include "table.hpp"

int main(int count, char** words) {
  using namespace sonde::corpus;
  if (count > 1 && std::string_view(words[1]) == "options") {
    fmt::print("{}", options_table());
    return 0;
  }
  if (count > 1 && std::string_view(words[1]) == "limits") {
    const int runs = count > 2 ? std::atoi(words[2]) : 20;
    std::vector<Score> scores;
    for (const auto& scene : missed_attacks()) scores.push_back(judge_attack(scene, runs));
    for (const auto& scene : false_alarms()) scores.push_back(judge_benign(scene, runs));
    fmt::print("{}", rows_of(scores));
    return 0;
  }
  const int runs = count > 1 ? std::atoi(words[1]) : 20;
  const std::string_view only = count > 2 && std::string_view(words[2]) != "all" ? words[2] : "";
  const std::uint64_t seed = count > 3 ? std::strtoull(words[3], nullptr, 10) : 1;
  if (runs < 1) {
    fmt::print(stderr, "usage: detect_judgement [RUNS [SCENE [SEED]]] | limits [RUNS] | options\n");
    return 2;
  }
  std::vector<Score> scores;
  const auto wanted = [&](std::string_view name) { return only.empty() || only == name; };
  for (const auto& scene : benign_scenes())
    if (wanted(scene.name)) scores.push_back(judge_benign(scene, scene.is_long ? std::max(1, runs / 4) : runs, seed));
  if (wanted("mixes")) scores.push_back(judge_mixes(runs, seed));
  for (const auto& scene : attack_scenes())
    if (wanted(scene.name)) scores.push_back(judge_attack(scene, runs, seed));
  if (scores.empty()) {
    fmt::print(stderr, "detect_judgement: there is no scene '{}'\n", only);
    return 2;
  }
  for (const auto& score : scores)
    for (const auto& note : score.notes) fmt::print(stderr, "{}\n", note);
  fmt::print("{}", table_of(scores));
  return 0;
}
