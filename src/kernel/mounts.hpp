// SPDX-License-Identifier: Apache-2.0
// The kernel's own file systems, mounted or not.
#pragma once
#include "base/fd.hpp"
#include "sonde/result.hpp"

namespace sonde::kernel {

/// The root of the cgroup v2 hierarchy: where it is mounted, else a mount of our own that nobody else sees and that
/// goes with the descriptor.
[[nodiscard]] Result<Fd> open_cgroup_root();

}  // namespace sonde::kernel
