// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/wire/table.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <deque>
#include <mutex>

#include "actuators/proxy/wire/stale_tables.hpp"
#include "actuators/proxy/wire/table_maps.hpp"
#include "base/wall_clock.hpp"
#include "kernel/object.hpp"

namespace sonde::proxy {
namespace {

// For programs that have looked the element up to be done with it; they run for microseconds.
constexpr std::uint64_t rest_ns = 100'000'000;

std::atomic_ref<std::uint32_t> phase_of(sonde_wire_connection& connection) {
  return std::atomic_ref<std::uint32_t>(connection.phase);
}

std::uint64_t now_ns() { return static_cast<std::uint64_t>(monotonic_ns()); }

bool has_rested(const sonde_wire_connection& connection, std::uint64_t now) {
  return connection.freed != 0 && now >= connection.freed + rest_ns;
}

bool is_free(const sonde_wire_connection& connection, std::uint32_t phase, std::uint64_t now) {
  if (phase == SONDE_WIRE_FREE) return true;
  return phase == SONDE_WIRE_FREED && (connection.sides[SONDE_WIRE_CLIENT].seen & SONDE_WIRE_PORT_REUSED) == 0 &&
         has_rested(connection, now);
}

Result<Fd> open_folder(const std::string& path, bool make) {
  if (make && ::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return fail_errno("cannot make " + path);
  Fd folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder && (make || errno != ENOENT)) return fail_errno("cannot open " + path);
  return folder;
}

bool holds_connections(const TableMaps& maps) {
  auto* const elements = reinterpret_cast<sonde_wire_connection*>(maps.connections.memory().data());
  const auto used = std::min(std::atomic_ref(maps.facts().used).load(), maps.capacity());
  return std::any_of(elements, elements + used, [](sonde_wire_connection& connection) {
    const auto phase = phase_of(connection).load(std::memory_order_relaxed);
    return phase != SONDE_WIRE_FREE && phase != SONDE_WIRE_FREED;
  });
}

}  // namespace

struct Table::State {
  explicit State(TableMaps from) : maps(std::move(from)) {
    elements = reinterpret_cast<sonde_wire_connection*>(maps.connections.memory().data());
    capacity = maps.capacity();
  }

  TableMaps maps;
  sonde_wire_connection* elements = nullptr;
  std::uint32_t capacity = 0;
  std::string directory;
  Fd folder;  ///< its flock is the keeper's
  std::mutex mutex;
  bool keeps = false;
  std::deque<std::uint32_t> freed;  ///< by this process, or found; another may have taken them since
  std::uint64_t searched = 0;       ///< when the whole table was last looked through

  [[nodiscard]] bool take(std::uint32_t index, std::uint64_t now);
  [[nodiscard]] std::optional<std::uint32_t> take_freed(std::uint64_t now);
  [[nodiscard]] std::optional<std::uint32_t> take_unused(std::uint64_t now);
  [[nodiscard]] std::optional<std::uint32_t> search(std::uint64_t now);
  void remove_flow(const sonde_wire_flow& flow, std::uint32_t index) const;
  void remove_records(std::uint32_t index, std::uint32_t parts) const;
};

bool Table::State::take(std::uint32_t index, std::uint64_t now) {
  auto& connection = elements[index];
  auto phase = phase_of(connection).load(std::memory_order_acquire);
  if (!is_free(connection, phase, now) ||
      !phase_of(connection).compare_exchange_strong(phase, SONDE_WIRE_TAKEN, std::memory_order_acq_rel))
    return false;
  auto* const behind_phase = reinterpret_cast<std::uint8_t*>(&connection) + sizeof(connection.phase);
  std::memset(behind_phase, 0, sizeof(connection) - sizeof(connection.phase));
  connection.id = std::atomic_ref(maps.facts().next_id).fetch_add(1);
  std::atomic_ref(connection.owner).store(static_cast<std::uint32_t>(::getpid()), std::memory_order_release);
  return true;
}

// In the order in which they were freed.
std::optional<std::uint32_t> Table::State::take_freed(std::uint64_t now) {
  while (!freed.empty()) {
    const auto index = freed.front();
    const auto& connection = elements[index];
    if (connection.phase == SONDE_WIRE_FREED && !has_rested(connection, now)) return std::nullopt;
    freed.pop_front();
    if (take(index, now)) return index;
  }
  return std::nullopt;
}

std::optional<std::uint32_t> Table::State::take_unused(std::uint64_t now) {
  const std::atomic_ref used(maps.facts().used);
  for (auto next = used.load(); next < capacity;) {
    if (!used.compare_exchange_weak(next, next + 1)) continue;
    if (take(next, now)) return next;
    next = used.load();
  }
  return std::nullopt;
}

// What other processes have freed.
std::optional<std::uint32_t> Table::State::search(std::uint64_t now) {
  if (now - searched < rest_ns) return std::nullopt;
  searched = now;
  freed.clear();
  for (std::uint32_t i = 0; i < capacity; ++i)
    if (is_free(elements[i], elements[i].phase, now)) freed.push_back(i);
  return take_freed(now);
}

// The key may be that of a connection that came after it.
void Table::State::remove_flow(const sonde_wire_flow& flow, std::uint32_t index) const {
  sonde_wire_place place{};
  const auto found = kernel::map_lookup(maps.flows.get(), &flow, &place);
  if (!found || !*found || place.connection != index) return;
  [[maybe_unused]] const auto removed = kernel::map_delete(maps.flows.get(), &flow);
}

void Table::State::remove_records(std::uint32_t index, std::uint32_t parts) const {
  for (std::uint32_t part = 0; part < parts; ++part) {
    const sonde_wire_record_key key{index, part};
    [[maybe_unused]] const auto removed = kernel::map_delete(maps.records.get(), &key);
  }
}

Table::Table(std::unique_ptr<State> state) : state_(std::move(state)) {}
Table::~Table() = default;

Result<std::unique_ptr<Table>> Table::make_private(std::uint32_t capacity) {
  auto maps = make_table_maps(capacity);
  if (!maps) return std::unexpected(maps.error());
  return std::unique_ptr<Table>(new Table(std::make_unique<State>(std::move(*maps))));
}

Result<std::unique_ptr<Table>> Table::open(std::uint32_t capacity) {
  const auto directory = table_directory();
  if (!directory) return std::unexpected(directory.error());
  // Whoever opens or makes the maps is alone with them until it is done.
  const auto parent = open_folder(directory->substr(0, directory->rfind('/')), true);
  if (!parent) return std::unexpected(parent.error());
  if (::flock(parent->get(), LOCK_EX) != 0) return fail_errno("cannot lock the folder above " + *directory);
  auto folder = open_folder(*directory, true);
  if (!folder) return std::unexpected(folder.error());
  touch_table(folder->get());
  remove_stale_tables(*directory);
  auto pinned = open_pinned_maps(*directory);
  if (!pinned) return std::unexpected(pinned.error());

  std::optional<TableMaps> maps;
  if (*pinned) {
    auto& there = **pinned;
    const bool is_kept = ::flock(folder->get(), LOCK_EX | LOCK_NB) != 0;
    const bool in_use = is_kept || (there.maps ? holds_connections(*there.maps) : there.holds_connections);
    ::flock(folder->get(), LOCK_UN);
    if (in_use && !there.maps)
      return fail(ErrorKind::failed,
                  fmt::format("{} is of another version of sonde ({}, this one has {}), and {}", *directory,
                              there.version, static_cast<int>(SONDE_WIRE_VERSION),
                              is_kept ? "another process keeps it" : "it holds connections"),
                  "wait until they are over, or reset them: sonde proxy abort");
    if (there.maps && (in_use || there.maps->capacity() == capacity)) maps = std::move(there.maps);
  }
  if (!maps) {
    if (auto removed = unpin_table_maps(*directory); !removed) return std::unexpected(removed.error());
    auto made = make_table_maps(capacity);
    if (!made) return std::unexpected(made.error());
    if (auto done = pin_table_maps(*made, *directory); !done) return std::unexpected(done.error());
    maps = std::move(*made);
  }
  auto state = std::make_unique<State>(std::move(*maps));
  state->directory = *directory;
  state->folder = std::move(*folder);
  return std::unique_ptr<Table>(new Table(std::move(state)));
}

Result<std::unique_ptr<Table>> Table::find() {
  const auto directory = table_directory();
  if (!directory) return std::unexpected(directory.error());
  auto folder = open_folder(*directory, false);
  if (!folder) return std::unexpected(folder.error());
  if (!*folder) return std::unique_ptr<Table>{};
  auto pinned = open_pinned_maps(*directory);
  if (!pinned) return std::unexpected(pinned.error());
  if (!*pinned) return std::unique_ptr<Table>{};
  if (!(*pinned)->maps)
    return fail(ErrorKind::failed, fmt::format("{} is of another version of sonde: {}, this one has {}", *directory,
                                               (*pinned)->version, static_cast<int>(SONDE_WIRE_VERSION)));
  auto state = std::make_unique<State>(std::move(*(*pinned)->maps));
  state->directory = *directory;
  state->folder = std::move(*folder);
  return std::unique_ptr<Table>(new Table(std::move(state)));
}

const std::string& Table::directory() const { return state_->directory; }

std::string Table::reachable_directory() const {
  return state_->folder ? fmt::format("/proc/self/fd/{}", state_->folder.get()) : std::string();
}

Result<void> Table::unpin() {
  if (state_->directory.empty()) return {};
  if (auto removed = unpin_table_maps(reachable_directory()); !removed) return removed;
  ::rmdir(state_->directory.c_str());  // while links are pinned there it stays
  return {};
}

bool Table::keep() {
  const std::lock_guard lock(state_->mutex);
  if (!state_->keeps) state_->keeps = !state_->folder || ::flock(state_->folder.get(), LOCK_EX | LOCK_NB) == 0;
  return state_->keeps;
}

void Table::stop_keeping() {
  const std::lock_guard lock(state_->mutex);
  if (state_->keeps && state_->folder) ::flock(state_->folder.get(), LOCK_UN);
  state_->keeps = false;
}

std::uint32_t Table::capacity() const { return state_->capacity; }
sonde_wire_connection& Table::at(std::uint32_t index) const { return state_->elements[index]; }

std::uint32_t Table::used() const {
  return std::min(std::atomic_ref(state_->maps.facts().used).load(std::memory_order_acquire), state_->capacity);
}

std::optional<std::uint32_t> Table::take() {
  const auto now = now_ns();
  const std::lock_guard lock(state_->mutex);
  if (const auto index = state_->take_freed(now)) return index;
  if (const auto index = state_->take_unused(now)) return index;
  return state_->search(now);
}

void Table::free(std::uint32_t index) {
  auto& connection = at(index);
  const auto ends = ends_of(connection);
  state_->remove_flow(wire_flow(ends.client, ends.proxy_to_client), index);
  state_->remove_flow(wire_flow(ends.upstream, ends.proxy_to_upstream), index);
  state_->remove_records(index, connection.record_parts);
  connection.record_parts = connection.record_bytes = 0;
  connection.owner = 0;
  connection.freed = now_ns();
  std::atomic_ref(connection.sides[SONDE_WIRE_CLIENT].seen).fetch_and(~std::uint32_t{SONDE_WIRE_PORT_REUSED});
  phase_of(connection).store(SONDE_WIRE_FREED, std::memory_order_release);
  const std::lock_guard lock(state_->mutex);
  state_->freed.push_back(index);
}

std::uint32_t Table::count() const {
  const auto* const elements = state_->elements;
  return static_cast<std::uint32_t>(std::count_if(elements, elements + used(), [](const auto& connection) {
    return connection.phase >= SONDE_WIRE_TAKEN && connection.phase <= SONDE_WIRE_ABORTED;
  }));
}

Result<void> Table::write_record(std::uint32_t index, std::string_view record) {
  auto& connection = at(index);
  state_->remove_records(index, connection.record_parts);
  connection.record_parts = connection.record_bytes = 0;
  std::uint32_t parts = 0;
  for (auto rest = record; !rest.empty(); ++parts) {
    const auto size = std::min<std::size_t>(rest.size(), SONDE_WIRE_RECORD_BYTES);
    sonde_wire_record part{};
    std::memcpy(part.bytes, rest.data(), size);
    const sonde_wire_record_key key{index, parts};
    if (auto written = kernel::map_update(state_->maps.records.get(), &key, &part); !written) {
      state_->remove_records(index, parts);
      return written;
    }
    rest.remove_prefix(size);
  }
  connection.record_bytes = static_cast<std::uint32_t>(record.size());
  std::atomic_ref(connection.record_parts).store(parts, std::memory_order_release);
  return {};
}

Result<std::string> Table::read_record(std::uint32_t index) const {
  const auto& connection = at(index);
  std::string record;
  const auto parts = connection.record_parts;
  for (std::uint32_t i = 0; i < parts; ++i) {
    const sonde_wire_record_key key{index, i};
    sonde_wire_record part{};
    const auto found = kernel::map_lookup(state_->maps.records.get(), &key, &part);
    if (!found) return std::unexpected(found.error());
    if (!*found) return fail(ErrorKind::failed, fmt::format("the record of connection {} is not whole", index));
    record.append(reinterpret_cast<const char*>(part.bytes), sizeof(part.bytes));
  }
  record.resize(std::min<std::size_t>(record.size(), connection.record_bytes));
  return record;
}

Result<sonde_wire_statistics> Table::statistics() const {
  constexpr std::uint32_t element = 0;
  return kernel::sum_per_cpu<sonde_wire_statistics>(state_->maps.statistics.get(), &element);
}

int Table::connections_fd() const { return state_->maps.connections.fd(); }
int Table::flows_fd() const { return state_->maps.flows.get(); }
int Table::records_fd() const { return state_->maps.records.get(); }
int Table::statistics_fd() const { return state_->maps.statistics.get(); }
int Table::changes_fd() const { return state_->maps.changes.get(); }

}  // namespace sonde::proxy
