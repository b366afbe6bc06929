// SPDX-License-Identifier: Apache-2.0
// What must be tried where nobody is disturbed: hooks, AF_PACKET. A trial succeeds when its packet has come through.
#pragma once
#include "doctor/privileges.hpp"
#include "doctor/programs.hpp"

namespace sonde::doctor {

/// Moves the calling thread into a network namespace of its own, for good.
[[nodiscard]] Findings run_trials(const Programs& programs, const Privileges& privileges);

/// As run_trials(), in a child process. It is killed after some seconds; then, and where there can be no namespace,
/// every trial is "cannot tell".
[[nodiscard]] Findings run_trials_in_child(const Programs& programs, const Privileges& privileges);

/// Every trial with this finding.
[[nodiscard]] Findings all_trials(const Finding& finding);

/// The way through the pipe: fields that end with NUL. Incomplete ends are left out.
[[nodiscard]] std::string serialize(const Findings& findings);
[[nodiscard]] Findings deserialize(std::string_view bytes);

}  // namespace sonde::doctor
