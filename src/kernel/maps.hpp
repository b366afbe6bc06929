// SPDX-License-Identifier: Apache-2.0
// Maps that user space makes before any program uses them.
#pragma once
#include <cstdint>
#include <string>

#include "base/fd.hpp"
#include "sonde/result.hpp"

namespace sonde::kernel {

struct MapShape {
  std::uint32_t type = 0;  ///< enum bpf_map_type
  std::uint32_t key_size = 0;
  std::uint32_t value_size = 0;
  std::uint32_t max_entries = 0;
  std::uint32_t flags = 0;  ///< BPF_F_NO_PREALLOC ...

  friend bool operator==(const MapShape&, const MapShape&) = default;
};

/// `name`: at most 15 characters of it are kept (BPF_OBJ_NAME_LEN).
[[nodiscard]] Result<Fd> create_map(const std::string& name, const MapShape& shape);

/// Of any map, whoever made it.
[[nodiscard]] Result<MapShape> map_shape(int map_fd);

}  // namespace sonde::kernel
