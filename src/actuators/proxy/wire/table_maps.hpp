// SPDX-License-Identifier: Apache-2.0
// The maps of a Table: made, pinned, found again.
#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "actuators/proxy/wire/wire.abi.h"
#include "base/fd.hpp"
#include "kernel/mapped_array.hpp"
#include "sonde/result.hpp"

namespace sonde::proxy {

/// Element of the map TABLE: what its processes share.
struct TableFacts {
  std::uint32_t version = 0;  ///< SONDE_WIRE_VERSION of who made the maps
  std::uint32_t used = 0;     ///< no element from here on was ever taken
  std::uint64_t next_id = 0;  ///< of a connection
};
static_assert(sizeof(TableFacts) == 16);

struct TableMaps {
  kernel::MappedArray table;
  kernel::MappedArray connections;
  Fd flows, records, statistics, changes;

  [[nodiscard]] TableFacts& facts() const;
  [[nodiscard]] std::uint32_t capacity() const;
};

[[nodiscard]] Result<TableMaps> make_table_maps(std::uint32_t capacity);

/// ".../sonde-proxy/wire-<cookie>" of the calling thread's network namespace.
[[nodiscard]] Result<std::string> table_directory();

struct PinnedMaps {
  std::optional<TableMaps> maps;  ///< empty: of another version
  std::uint32_t version = 0;
  bool holds_connections = false;  ///< of another version: there is a key in FLOWS
};
/// Empty: there are none, or not all of them.
[[nodiscard]] Result<std::optional<PinnedMaps>> open_pinned_maps(const std::string& directory);
[[nodiscard]] Result<void> pin_table_maps(const TableMaps& maps, const std::string& directory);
[[nodiscard]] Result<void> unpin_table_maps(const std::string& directory);

}  // namespace sonde::proxy
