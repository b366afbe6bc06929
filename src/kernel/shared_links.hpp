// SPDX-License-Identifier: Apache-2.0
// Programs that another process has attached, held together with it.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "base/fd.hpp"
#include "sonde/result.hpp"

namespace sonde::kernel {

/// A map of this host and the links that were found beside it. A link lives as long as one process has a descriptor of
/// it, so the programs stay attached until the last of all holders has closed theirs.
struct SharedLinks {
  Fd map;
  std::vector<Fd> links;
};

/// What a map must be: names are compared as the kernel keeps them, their first 15 bytes.
struct MapShape {
  std::string name;
  std::uint32_t type = 0;  ///< enum bpf_map_type
  std::uint32_t value_size = 0;
};

/// The first map of this shape for which links to programs of exactly these names exist, each once, all using the map.
/// cgroup programs count only if they are attached to the root of the hierarchy as this process sees it. An error when
/// there is none, or when links may not be looked at (it needs CAP_SYS_ADMIN).
[[nodiscard]] Result<SharedLinks> find_shared_links(const MapShape& shape, const std::vector<std::string>& programs);

}  // namespace sonde::kernel
