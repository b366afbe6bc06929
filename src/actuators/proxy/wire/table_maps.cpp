// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/wire/table_maps.hpp"

#include <fmt/format.h>
#include <linux/bpf.h>

#include <array>

#include "base/wall_clock.hpp"
#include "kernel/maps.hpp"
#include "kernel/object.hpp"
#include "kernel/pins.hpp"

namespace sonde::proxy {
namespace {

constexpr std::size_t change_bytes = std::size_t{64} << 10;
// Most records fit into one part, the longest into five. What finds no room the process that spliced the connection
// keeps itself.
constexpr std::uint32_t record_parts(std::uint32_t connections) { return connections + connections / 4 + 6; }

// TABLE last: who finds it finds the others.
constexpr std::array pin_names{"CONNECTIONS", "FLOWS", "RECORDS", "STATISTICS", "CHANGES", "TABLE"};

std::string pin_of(const std::string& directory, const char* name) { return directory + "/" + name; }

Result<kernel::MappedArray> open_array(const std::string& directory, const char* name) {
  auto fd = kernel::open_pin(pin_of(directory, name));
  if (!fd) return std::unexpected(fd.error());
  if (!*fd) return fail(ErrorKind::failed, "the pin " + pin_of(directory, name) + " is gone");
  return kernel::MappedArray::open(std::move(*fd));
}

Result<void> open_fd(const std::string& directory, const char* name, Fd& place) {
  auto fd = kernel::open_pin(pin_of(directory, name));
  if (!fd) return std::unexpected(fd.error());
  if (!*fd) return fail(ErrorKind::failed, "the pin " + pin_of(directory, name) + " is gone");
  place = std::move(*fd);
  return {};
}

Result<TableMaps> open_all(const std::string& directory, kernel::MappedArray table) {
  auto connections = open_array(directory, "CONNECTIONS");
  if (!connections) return std::unexpected(connections.error());
  TableMaps maps{std::move(table), std::move(*connections), {}, {}, {}, {}};
  const std::array<std::pair<const char*, Fd*>, 4> others{{{"FLOWS", &maps.flows},
                                                           {"RECORDS", &maps.records},
                                                           {"STATISTICS", &maps.statistics},
                                                           {"CHANGES", &maps.changes}}};
  for (const auto& [name, place] : others)
    if (auto opened = open_fd(directory, name, *place); !opened) return std::unexpected(opened.error());
  return maps;
}

// Of any version: FLOWS is a hash whose keys are no longer than this.
Result<bool> has_flows(const std::string& directory) {
  Fd flows;
  if (auto opened = open_fd(directory, "FLOWS", flows); !opened) return std::unexpected(opened.error());
  std::array<std::uint8_t, 512> key{};
  return kernel::map_next_key(flows.get(), nullptr, key.data());
}

Result<void> create(Fd& place, const char* name, const kernel::MapShape& shape) {
  auto made = kernel::create_map(name, shape);
  if (!made) return std::unexpected(made.error());
  place = std::move(*made);
  return {};
}

}  // namespace

TableFacts& TableMaps::facts() const { return *reinterpret_cast<TableFacts*>(table.memory().data()); }

std::uint32_t TableMaps::capacity() const {
  return static_cast<std::uint32_t>(connections.memory().size() / sizeof(sonde_wire_connection));
}

Result<TableMaps> make_table_maps(std::uint32_t capacity) {
  auto table = kernel::MappedArray::create("TABLE", sizeof(TableFacts), 1);
  if (!table) return std::unexpected(table.error());
  auto connections = kernel::MappedArray::create("CONNECTIONS", sizeof(sonde_wire_connection), capacity);
  if (!connections) return std::unexpected(connections.error());
  TableMaps maps{std::move(*table), std::move(*connections), {}, {}, {}, {}};
  if (auto made = create(
          maps.flows, "FLOWS",
          {BPF_MAP_TYPE_HASH, sizeof(sonde_wire_flow), sizeof(sonde_wire_place), 2 * capacity, BPF_F_NO_PREALLOC});
      !made)
    return std::unexpected(made.error());
  if (auto made = create(maps.records, "RECORDS",
                         {BPF_MAP_TYPE_HASH, sizeof(sonde_wire_record_key), sizeof(sonde_wire_record),
                          record_parts(capacity), BPF_F_NO_PREALLOC});
      !made)
    return std::unexpected(made.error());
  if (auto made = create(maps.statistics, "STATISTICS",
                         {BPF_MAP_TYPE_PERCPU_ARRAY, sizeof(std::uint32_t), sizeof(sonde_wire_statistics), 1, 0});
      !made)
    return std::unexpected(made.error());
  auto changes = kernel::create_ring("CHANGES", change_bytes);
  if (!changes) return std::unexpected(changes.error());
  maps.changes = std::move(*changes);
  // Greater than that of any table before: no host makes a connection each nanosecond.
  maps.facts() = {SONDE_WIRE_VERSION, 0, static_cast<std::uint64_t>(monotonic_ns())};
  return maps;
}

Result<std::string> table_directory() {
  auto bpffs = kernel::find_bpffs();
  if (!bpffs) return bpffs;
  const auto cookie = kernel::network_namespace_cookie();
  if (!cookie) return std::unexpected(cookie.error());
  return fmt::format("{}/sonde-proxy/wire-{}", *bpffs, *cookie);
}

Result<std::optional<PinnedMaps>> open_pinned_maps(const std::string& directory) {
  auto fd = kernel::open_pin(pin_of(directory, "TABLE"));
  if (!fd) return std::unexpected(fd.error());
  if (!*fd) return std::optional<PinnedMaps>{};
  auto table = kernel::MappedArray::open(std::move(*fd));
  if (!table) return std::unexpected(table.error());
  std::uint32_t version = 0;  // first in every version
  if (table->memory().size() >= sizeof(TableFacts))
    version = reinterpret_cast<const TableFacts*>(table->memory().data())->version;
  PinnedMaps pinned{.maps = {}, .version = version};
  if (version != SONDE_WIRE_VERSION) {
    const auto holds = has_flows(directory);
    if (!holds) return std::unexpected(holds.error());
    pinned.holds_connections = *holds;
    return pinned;
  }
  auto maps = open_all(directory, std::move(*table));
  if (!maps) return std::unexpected(maps.error());
  pinned.maps = std::move(*maps);
  return pinned;
}

Result<void> pin_table_maps(const TableMaps& maps, const std::string& directory) {
  const std::array<int, pin_names.size()> fds{maps.connections.fd(), maps.flows.get(),   maps.records.get(),
                                              maps.statistics.get(), maps.changes.get(), maps.table.fd()};
  for (std::size_t i = 0; i < fds.size(); ++i)
    if (auto pinned = kernel::pin(fds[i], pin_of(directory, pin_names[i])); !pinned) return pinned;
  return {};
}

Result<void> unpin_table_maps(const std::string& directory) {
  for (std::size_t i = pin_names.size(); i-- > 0;)
    if (auto removed = kernel::remove_pin(pin_of(directory, pin_names[i])); !removed) return removed;
  return {};
}

}  // namespace sonde::proxy
