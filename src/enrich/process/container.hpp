// SPDX-License-Identifier: Apache-2.0
// What a process runs in, by the names that container runtimes and systemd give their cgroups.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sonde/owner.hpp"

namespace sonde::enrich {

/// The container or systemd unit of a cgroup path ("/docker/4f5e..."), as shown in /proc/PID/cgroup or any end of it.
/// The innermost container wins, then the innermost unit. Pure.
[[nodiscard]] std::optional<Container> container_of(std::string_view cgroup_path);

/// A process is in one cgroup of every hierarchy (v2; on hybrid and v1 hosts also one a controller), and a runtime may
/// have used only some. `paths` in order of preference; a container in any of them wins over a unit.
struct Placement {
  std::string cgroup;  ///< the path that says most: the container's, the unit's, else the first that is not the root
  std::optional<Container> container;
};
/// `runc_states`: the folder where runc keeps the state of its containers. Their ids are any word, so a cgroup's last
/// component is one only if it is found there. Empty: by the paths alone, pure.
[[nodiscard]] Placement place(const std::vector<std::string>& paths, const std::string& runc_states = {});

/// The paths in the text of /proc/PID/cgroup: cgroup v2 first, then systemd's own hierarchy, then the controllers.
[[nodiscard]] std::vector<std::string> cgroup_paths(std::string_view proc_cgroup);

}  // namespace sonde::enrich
