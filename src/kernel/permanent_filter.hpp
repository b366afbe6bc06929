// SPDX-License-Identifier: Apache-2.0
// cls_bpf on clsact that stays when its process ends: the guard's hook of kernels before tcx (Linux 6.6).
#pragma once
#include <cstdint>

#include "kernel/attach.hpp"
#include "sonde/result.hpp"

namespace sonde::kernel {

/// Puts the program there, or in place of the one that an earlier call put there: every packet meets one of the two.
/// Before the filters of all others. The clsact qdisc is made if absent.
[[nodiscard]] Result<void> set_permanent_filter(int program_fd, std::uint32_t ifindex, TcDirection direction);

[[nodiscard]] bool has_permanent_filter(std::uint32_t ifindex, TcDirection direction);

/// Removes it, and the qdisc with it if that has no other filters. One that is not there is no error.
[[nodiscard]] Result<void> remove_permanent_filter(std::uint32_t ifindex, TcDirection direction);

}  // namespace sonde::kernel
