// SPDX-License-Identifier: Apache-2.0
#include "doctor/finding.hpp"

namespace sonde::doctor {

Finding find(const Findings& findings, std::string_view name) {
  const auto found = findings.find(name);
  return found == findings.end() ? cannot_tell("not tried") : found->second;
}

}  // namespace sonde::doctor
