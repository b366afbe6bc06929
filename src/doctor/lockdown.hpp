// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <string_view>

#include "doctor/privileges.hpp"

namespace sonde::doctor {

/// The state in brackets of "none [integrity] confidentiality"; empty if there is none.
[[nodiscard]] std::string active_lockdown(std::string_view text);

/// Loads a program that reads kernel memory, which the lockdown state "confidentiality" forbids.
[[nodiscard]] Finding try_kernel_reads(const Privileges& privileges);

}  // namespace sonde::doctor
