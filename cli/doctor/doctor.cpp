// SPDX-License-Identifier: Apache-2.0
#include "doctor/doctor.hpp"

namespace sonde::cli {

int doctor(const Environment&, std::vector<std::string>) { return failed; }

}  // namespace sonde::cli
