// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>

namespace sonde::test {

struct DoctorRun {
  int status = -1;
  nlohmann::json report;
};

/// `sonde doctor --json` in a process of its own that calls `restrict_process` first.
DoctorRun run_doctor(const std::function<void()>& restrict_process);

/// Gives up root for the user nobody.
void become_nobody();
/// Gives up capabilities of this thread (bits CAP_x), as root.
void give_up(std::uint64_t capabilities);

/// The feature of that name; null if there is none.
nlohmann::json feature(const nlohmann::json& report, const std::string& name);

}  // namespace sonde::test
