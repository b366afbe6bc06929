// SPDX-License-Identifier: Apache-2.0
// cls_bpf on clsact that stays when its process ends: a hook of kernels before tcx (Linux 6.6).
#pragma once
#include <cstdint>

#include "kernel/attach.hpp"
#include "sonde/result.hpp"

namespace sonde::kernel {

/// Whose filter it is, and when a packet meets it: filters of a lower priority come first. tc numbers its filters from
/// 1 and from 49152 on; a filter of somebody else with both of these numbers is not replaced but refused by the kernel,
/// because it is no BPF filter or has another name.
struct FilterIdentity {
  std::uint32_t handle = 0;
  std::uint32_t priority = 0;
};
constexpr std::uint32_t first_filter_priority = 1;
constexpr std::uint32_t last_filter_priority = 0xffff;

/// Puts the program there, or in place of the one that an earlier call put there with this identity: every packet meets
/// one of the two. The clsact qdisc is made if absent.
[[nodiscard]] Result<void> set_permanent_filter(int program_fd, std::uint32_t ifindex, TcDirection direction,
                                                FilterIdentity identity);

[[nodiscard]] bool has_permanent_filter(std::uint32_t ifindex, TcDirection direction, FilterIdentity identity);

/// Removes it, and the qdisc with it if that has no other filters. One that is not there is no error.
[[nodiscard]] Result<void> remove_permanent_filter(std::uint32_t ifindex, TcDirection direction,
                                                   FilterIdentity identity);

}  // namespace sonde::kernel
