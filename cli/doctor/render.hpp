// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>

#include "sonde/doctor.hpp"

namespace sonde::cli {

/// Aligned tables; below a row that is not a yes, why and what to do.
[[nodiscard]] std::string doctor_text(const DoctorReport& report, bool colour);

/// One object on one line, as docs/doctor.md describes it.
[[nodiscard]] std::string doctor_json(const DoctorReport& report);

}  // namespace sonde::cli
