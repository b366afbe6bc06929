// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <string>

#include "base/fd.hpp"

namespace sonde::enrich {

/// Paths of cgroups by their id, from the mounted cgroup v2 hierarchy.
class CgroupPaths {
 public:
  /// `proc`: where proc is mounted.
  explicit CgroupPaths(const std::string& proc);

  /// "/system.slice/ssh.service"; empty: it is gone, or there is no such hierarchy or privilege (CAP_DAC_READ_SEARCH).
  [[nodiscard]] std::string path_of(std::uint64_t cgroup_id) const;

 private:
  std::string mount_point_;
  Fd mount_;
};

}  // namespace sonde::enrich
