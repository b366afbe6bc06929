// SPDX-License-Identifier: Apache-2.0
// The network namespaces of the host, and work inside each of them.
#pragma once
#include <functional>
#include <vector>

#include "base/fd.hpp"
#include "sonde/result.hpp"

namespace sonde::connections {

/// One descriptor for each network namespace that a thread runs in or that /run/netns names. One that only a file
/// descriptor or a socket holds is not found.
[[nodiscard]] std::vector<Fd> network_namespaces();

/// Calls `work` in each of the namespaces, on a thread of its own: the caller's stays where it is. Ends at the first
/// failure.
[[nodiscard]] Result<void> in_each_namespace(const std::vector<Fd>& namespaces,
                                             const std::function<Result<void>()>& work);

}  // namespace sonde::connections
