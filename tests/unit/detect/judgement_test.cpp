// SPDX-License-Identifier: Apache-2.0
// The detectors are as good as docs/detections.md says: the same scenes, the first seeds of those that are documented.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <map>
#include <sstream>

#include "corpus/judge.hpp"
#include "corpus/table.hpp"

namespace sonde::corpus {
namespace {

constexpr int runs = 3;

struct Row {
  int runs = 0, found = 0, missed = 0, false_alarms = 0;
};

std::string document() {
  std::ifstream file(DETECTIONS_MANUAL);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> cells;
  std::stringstream stream(line);
  for (std::string cell; std::getline(stream, cell, '|');) {
    const auto first = cell.find_first_not_of(" `"), last = cell.find_last_not_of(" `");
    cells.push_back(first == std::string::npos ? "" : cell.substr(first, last - first + 1));
  }
  return cells;
}

/// The rows of the tables of scenes, by name.
std::map<std::string, Row> rows() {
  std::map<std::string, Row> all;
  std::stringstream text(document());
  for (std::string line; std::getline(text, line);) {
    const auto cells = cells_of(line);
    if (cells.size() != 8 || cells[3].find_first_not_of("0123456789") != std::string::npos) continue;
    const auto number = [](const std::string& cell) { return cell == "-" || cell.empty() ? 0 : std::stoi(cell); };
    all[cells[1]] = {number(cells[3]), number(cells[4]), number(cells[5]), number(cells[6])};
  }
  return all;
}

std::string notes_of(const Score& score) {
  std::string text;
  for (const auto& note : score.notes) text += note + "\n";
  return text;
}

/// No worse than documented: of `runs`, as many as documented may go wrong, rounded up.
void compare(const Score& score) {
  const auto all = rows();
  const auto row = all.find(score.scene);
  ASSERT_NE(row, all.end()) << score.scene << " is not in docs/detections.md";
  const auto share = [&](int count) {
    return static_cast<int>(std::ceil(static_cast<double>(count) * score.runs / std::max(1, row->second.runs)));
  };
  EXPECT_GE(row->second.runs, score.runs);
  EXPECT_LE(score.missed, share(row->second.missed)) << notes_of(score);
  EXPECT_LE(score.false_alarms, share(row->second.false_alarms)) << notes_of(score);
}

class Benign : public testing::TestWithParam<BenignScene> {};

TEST_P(Benign, RaisesNoAlarm) {
  const auto score = judge_benign(GetParam(), GetParam().is_long ? 1 : runs);
  EXPECT_EQ(score.false_alarms, 0) << notes_of(score);
  compare(score);
}

class Attacks : public testing::TestWithParam<AttackScene> {};

TEST_P(Attacks, AreFoundAsDocumented) { compare(judge_attack(GetParam(), runs)); }

TEST(Mixes, RaiseNoAlarm) {
  const auto score = judge_mixes(runs);
  EXPECT_EQ(score.false_alarms, 0) << notes_of(score);
  compare(score);
}

TEST(Manual, GivesSumsThatAddUp) {
  const auto all = rows();
  Row sum;
  std::vector<std::string> judged{"mixes"};
  for (const auto& scene : benign_scenes()) judged.emplace_back(scene.name);
  for (const auto& scene : attack_scenes()) judged.emplace_back(scene.name);
  for (const auto& name : judged) {
    ASSERT_TRUE(all.contains(name)) << name;
    const auto& row = all.at(name);
    sum = {sum.runs + row.runs, sum.found + row.found, sum.missed + row.missed, sum.false_alarms + row.false_alarms};
  }
  ASSERT_TRUE(all.contains("all"));
  const auto& given = all.at("all");
  EXPECT_EQ(sum.runs, given.runs);
  EXPECT_EQ(sum.found, given.found);
  EXPECT_EQ(sum.missed, given.missed);
  EXPECT_EQ(sum.false_alarms, given.false_alarms);
  EXPECT_GE(given.runs, 500);
  const Overall overall{given.runs, given.found, given.missed, given.false_alarms};
  char figures[80];
  std::snprintf(figures, sizeof(figures), "Precision %.3f, recall %.3f.", overall.precision(), overall.recall());
  EXPECT_NE(document().find(figures), std::string::npos) << figures;
}

TEST(Manual, HasTheTableOfThresholds) {
  EXPECT_NE(document().find(options_table()), std::string::npos)
      << "docs/detections.md lacks the output of `detect_judgement options`:\n"
      << options_table();
}

template <class Scene>
std::string name_of(const testing::TestParamInfo<Scene>& scene) {
  std::string name = scene.param.name;
  std::erase(name, '-');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Scene, Benign, testing::ValuesIn(benign_scenes()), name_of<BenignScene>);
INSTANTIATE_TEST_SUITE_P(Scene, Attacks, testing::ValuesIn(attack_scenes()), name_of<AttackScene>);

}  // namespace
}  // namespace sonde::corpus
