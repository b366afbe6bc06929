// SPDX-License-Identifier: Apache-2.0
// Who owns a socket, tried: each rung of the ladder, the look through the file tables, the process events. A trial
// succeeds when what it recorded of a socket of this process names this process.
#pragma once
#include <string>

#include "doctor/privileges.hpp"

namespace sonde::doctor {

/// "fentry", "tracepoint", "kprobe" or "cgroup" (sensors/owners/rungs.hpp).
[[nodiscard]] Finding try_owner_rung(const std::string& rung, const Privileges& privileges);
[[nodiscard]] Finding try_owner_seed(const Privileges& privileges);
[[nodiscard]] Finding try_process_events(const Privileges& privileges);

}  // namespace sonde::doctor
