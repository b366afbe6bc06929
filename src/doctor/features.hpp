// SPDX-License-Identifier: Apache-2.0
// The table of features.
#pragma once
#include <span>
#include <vector>

#include "doctor/privileges.hpp"

namespace sonde::doctor {

/// What the probes of the table may look at.
struct Examination {
  Privileges privileges;
  Findings found;  ///< programs, trials, and the rows before this one
};

struct FeatureRow {
  const char* group;
  const char* name;
  const char* purpose;
  Finding (*probe)(const Examination& examination);  ///< null: found by load_programs() or a trial
};

/// In the order of the report.
[[nodiscard]] std::span<const FeatureRow> feature_table();

/// Fills `examination.found` and gives the rows.
[[nodiscard]] std::vector<DoctorFeature> examine_features(Examination& examination);

}  // namespace sonde::doctor
