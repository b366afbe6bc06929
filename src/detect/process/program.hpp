// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>

#include "detect/detector.hpp"

namespace sonde::detect {

/// What a process runs: the same for all its processes, now and after a restart. Empty: not known.
[[nodiscard]] std::string program_of(const SocketOwner* owner);

/// Opened by this host (or by one behind us), to the internet.
[[nodiscard]] bool goes_out(const FlowSight& flow);

/// "/usr/bin/curl", or the address where the program is not known.
[[nodiscard]] std::string subject_of(const SocketOwner& owner, const Endpoint& source);

}  // namespace sonde::detect
