// SPDX-License-Identifier: Apache-2.0
// What class Guard does, each call under the lock of the directory.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "actuators/guard/installed.hpp"
#include "actuators/guard/plan.hpp"
#include "sonde/guard.hpp"

namespace sonde::guard {

[[nodiscard]] Result<std::vector<GuardInterface>> attach(const std::string& directory,
                                                         const GuardAttachOptions& options);
[[nodiscard]] Result<bool> detach(const std::string& directory, const std::vector<std::string>& interfaces);

using Planner = std::function<Result<Plan>(const RuleSet& from, const PlanOptions& options)>;
[[nodiscard]] Result<GuardChange> change(const std::string& directory, const GuardChangeOptions& options,
                                         const Planner& planner);

[[nodiscard]] Result<std::vector<GuardEntry>> list(const std::string& directory);
[[nodiscard]] Result<GuardStats> stats(const std::string& directory);

}  // namespace sonde::guard
