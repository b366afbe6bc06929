// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <set>

#include "doctor/features.hpp"
#include "doctor/files.hpp"
#include "doctor/lockdown.hpp"
#include "doctor/trials.hpp"

namespace sonde::doctor {
namespace {

const Findings some = {{"a", yes("tcx")}, {"b", no("why", "do")}, {"c", cannot_tell("", "")}};

TEST(Findings, ComeThroughThePipeWhole) { EXPECT_EQ(deserialize(serialize(some)), some); }

TEST(Findings, CutOffAnywhereOnlyWholeOnesRemain) {
  const auto bytes = serialize(some);
  for (std::size_t size = 0; size < bytes.size(); ++size)
    for (const auto& [name, finding] : deserialize(std::string_view(bytes).substr(0, size)))
      EXPECT_EQ(finding, some.at(name)) << size;
  EXPECT_EQ(deserialize(bytes.substr(0, bytes.size() - 1)).size(), some.size() - 1);
}

TEST(Findings, AnUnknownAnswerIsLeftOut) {
  using namespace std::string_literals;
  EXPECT_TRUE(deserialize("name\0?\0\0\0\0"s).empty());
}

TEST(Findings, WhatIsNotThereCannotBeTold) { EXPECT_EQ(find(some, "d").answer, Answer::unknown); }

TEST(Lockdown, StateInBrackets) {
  EXPECT_EQ(active_lockdown("none [integrity] confidentiality"), "integrity");
  EXPECT_EQ(active_lockdown("[none] integrity confidentiality"), "none");
  for (const auto* text : {"", "none", "[", "]none["}) EXPECT_EQ(active_lockdown(text), "") << text;
}

TEST(FeatureTable, NamesAreUniqueAndEveryTrialHasARow) {
  std::set<std::string> names;
  for (const auto& row : feature_table()) EXPECT_TRUE(names.insert(row.name).second) << row.name;
  for (const auto& [name, finding] : all_trials({})) EXPECT_TRUE(names.contains(name)) << name;
}

TEST(FeatureTable, DocumentedAllOfThem) {
  const auto manual = read_file(DOCTOR_MANUAL);
  ASSERT_TRUE(manual);
  for (const auto& row : feature_table())
    EXPECT_THAT(*manual, testing::HasSubstr("`" + std::string(row.name) + "`")) << row.name;
}

}  // namespace
}  // namespace sonde::doctor
