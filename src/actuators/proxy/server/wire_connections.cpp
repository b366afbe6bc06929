// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/server/wire_connections.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <limits>
#include <utility>

#include "actuators/proxy/process/log.hpp"
#include "actuators/proxy/server/wire_record.hpp"
#include "base/wall_clock.hpp"

namespace sonde::proxy {
namespace {

WireLimits limits_of(const ProxyConfig& config) {
  return {.idle = config.timeouts.idle, .half_closed = config.timeouts.half_closed, .max_age = config.wire.max_age};
}

// From accept until it was joined. Both clocks are read now: the record has wall time, the table monotonic time.
std::chrono::nanoseconds before_joined(const ConnectionRecord& record, const sonde_wire_connection& connection) {
  const auto age = wall_now_ns() - record.accepted_wall_ns;
  const auto on_wire = monotonic_ns() - static_cast<std::int64_t>(connection.joined);
  return std::chrono::nanoseconds(std::max<std::int64_t>(0, age - on_wire));
}

}  // namespace

WireConnections::WireConnections(Table& table, Statistics& statistics, unsigned row, ClientCounts& client_counts)
    : table_(table), statistics_(statistics), row_(row), client_counts_(client_counts) {}

Result<std::unique_ptr<WireConnections>> WireConnections::start(Table& table, const ProxyConfig& config,
                                                                Statistics& statistics, unsigned row,
                                                                ClientCounts& client_counts) {
  std::unique_ptr<WireConnections> made(new WireConnections(table, statistics, row, client_counts));
  made->most_of_client_ = config.limits.connections_per_client;
  auto keeper = WireKeeper::start(table, limits_of(config), *made);
  if (!keeper) return std::unexpected(keeper.error());
  made->keeper_ = std::move(*keeper);
  return made;
}

WireConnections::~WireConnections() { keeper_.reset(); }

// `owner` last: from then on whoever keeps the table may adopt it, with its record.
void WireConnections::hand_over(std::uint32_t index, Fd client, Fd upstream, const ConnectionRecord& record,
                                bool counted_per_client, std::shared_ptr<UpstreamGroup> group,
                                std::size_t upstream_index) {
  auto& connection = table_.at(index);
  auto written = record;
  written.total = before_joined(record, connection);
  auto bytes = write_wire_record(written, ends_of(connection));
  const bool stored = table_.write_record(index, bytes).has_value();
  statistics_.add(row_, Counter::wired);
  bool counted = false;
  {
    const std::lock_guard lock(mutex_);
    counted = !stands_back_ && keeper_->keeps();
    if (counted) {
      if (!stored) records_.emplace(connection.id, std::move(bytes));
      hold(index, {connection.id, record.client.address, group, static_cast<std::uint32_t>(upstream_index),
                   counted_per_client});
    }
  }
  if (!counted) {
    if (counted_per_client) client_counts_.leave(record.client);
    if (group) group->ended(upstream_index);
  }
  std::atomic_ref(connection.owner).store(0, std::memory_order_release);
  keeper_->add(index, std::move(client), std::move(upstream), counted);
}

// mutex_ is held.
void WireConnections::hold(std::uint32_t index, Held held) {
  if (index >= held_.size()) held_.resize(std::max<std::size_t>(index + 1, table_.used()));
  if (held_[index].id != 0) let_go(held_[index]);
  held_[index] = std::move(held);
  ++active_;
  statistics_.connection_began();
}

// mutex_ is held.
void WireConnections::let_go(Held& held) {
  if (held.counted_per_client) client_counts_.leave({.address = held.client, .port = 0});
  if (held.group) held.group->ended(held.upstream_index);
  held = {};
  --active_;
  statistics_.connection_ended();
}

void WireConnections::adopted(std::uint32_t index, const std::string& record) {
  const auto& connection = table_.at(index);
  const auto ends = ends_of(connection);
  const auto read = read_wire_record(record, ends);
  const auto client = read ? read->client : ends.client;
  const std::lock_guard lock(mutex_);
  if (index < held_.size() && held_[index].id == connection.id) return;
  // It was let in once already.
  const bool entered = most_of_client_ > 0 && client_counts_.enter(client, std::numeric_limits<std::uint32_t>::max());
  hold(index, {connection.id, client.address, {}, 0, entered});
  ++adopted_;
}

void WireConnections::moved(std::uint32_t index, std::uint64_t bytes_received, std::uint64_t bytes_sent) {
  auto client = ends_of(table_.at(index)).client;
  {
    const std::lock_guard lock(mutex_);
    if (index < held_.size() && held_[index].id != 0) client.address = held_[index].client;
  }
  statistics_.add_traffic(row_, client, bytes_received, bytes_sent);
}

void WireConnections::ended(std::uint32_t index, const WireEnd& end) {
  auto whole = end;
  {
    const std::lock_guard lock(mutex_);
    const auto id = table_.at(index).id;
    if (auto kept = records_.extract(id); !kept.empty()) whole.record = std::move(kept.mapped());
    if (index < held_.size() && held_[index].id == id) let_go(held_[index]);
  }
  statistics_.log(finished_record(whole));
}

void WireConnections::set_config(const ProxyConfig& config) {
  keeper_->set_limits(limits_of(config));
  const std::lock_guard lock(mutex_);
  most_of_client_ = config.limits.connections_per_client;
}

void WireConnections::report() { keeper_->report(); }

std::uint32_t WireConnections::count() const { return keeper_->count(); }

std::uint64_t WireConnections::active() const {
  const std::lock_guard lock(mutex_);
  return active_;
}

bool WireConnections::keeps() const { return keeper_->keeps(); }

std::uint64_t WireConnections::adopted_connections() const {
  const std::lock_guard lock(mutex_);
  return adopted_;
}

std::uint32_t WireConnections::abort_all() { return keeper_->abort_all(); }

void WireConnections::stand_back() {
  keeper_->report();  // what has moved until now is this process's
  keeper_->stand_back();
  const std::lock_guard lock(mutex_);
  stands_back_ = true;
  for (auto& held : held_)
    if (held.id != 0) let_go(held);
  held_ = {};
}

}  // namespace sonde::proxy
