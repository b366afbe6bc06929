// SPDX-License-Identifier: Apache-2.0
// What this process may do, and what a refusal means in that light.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "doctor/finding.hpp"

namespace sonde::doctor {

struct Privileges {
  std::uint64_t effective = 0;         ///< capabilities, bit CAP_x
  bool initial_user_namespace = true;  ///< else the capabilities hold for what the user namespace owns only
  std::uint32_t user = 0;              ///< effective uid

  /// CAP_SYS_ADMIN stands in for CAP_BPF and CAP_PERFMON (Linux 5.8, bpf_capable()).
  [[nodiscard]] bool has(int capability) const;
};

/// From the texts of /proc/self/status and /proc/self/uid_map.
[[nodiscard]] Privileges parse_privileges(std::string_view status, std::string_view uid_map, std::uint32_t user);
[[nodiscard]] Privileges own_privileges();

/// "root", "user 1000", "root of a user namespace".
[[nodiscard]] std::string describe(const Privileges& privileges);

/// Is the capability there for BPF and networking?
[[nodiscard]] Finding capability(const Privileges& privileges, int capability);

/// A refusal for want of a capability tells nothing about the kernel; everything else is a no. `advice` is for the no.
[[nodiscard]] Finding failure(const Error& error, const Privileges& privileges, int capability, std::string advice);

}  // namespace sonde::doctor
