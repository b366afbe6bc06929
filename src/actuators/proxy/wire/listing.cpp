// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/wire/listing.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>

#include "base/wall_clock.hpp"

namespace sonde::proxy {
namespace {

using std::chrono::nanoseconds;

ProxyWireStream stream_of(const sonde_wire_side_state& side) {
  return {.bytes = wire_bytes(side),
          .packets = side.packets,
          .repeated = side.repeated,
          .ended = (side.seen & SONDE_WIRE_SAW_FIN) != 0};
}

ProxyWireState state_of(const sonde_wire_connection& connection) {
  if (connection.phase == SONDE_WIRE_ABORTED) return ProxyWireState::aborted;
  if (connection.phase == SONDE_WIRE_JOINING) return ProxyWireState::joining;
  const auto& [client, upstream] = connection.sides;
  const bool reset = ((client.seen | upstream.seen) & SONDE_WIRE_SAW_RESET) != 0;
  const int ended = ((client.seen & SONDE_WIRE_SAW_FIN) != 0) + ((upstream.seen & SONDE_WIRE_SAW_FIN) != 0);
  if (reset || ended == 2) return ProxyWireState::closing;
  return ended == 1 ? ProxyWireState::half_closed : ProxyWireState::spliced;
}

// Programs write these times on other CPUs: one may be a moment ahead of `now`.
nanoseconds since(std::uint64_t time, std::uint64_t now) {
  return nanoseconds(static_cast<std::int64_t>(now > time ? now - time : 0));
}

// The element may be freed and taken again meanwhile: then this is nothing that ever was.
std::optional<sonde_wire_connection> copy_of(sonde_wire_connection& element) {
  const std::atomic_ref phase(element.phase);
  const std::atomic_ref id(element.id);
  const auto phase_before = phase.load(std::memory_order_acquire);
  const auto id_before = id.load(std::memory_order_acquire);
  sonde_wire_connection copy;
  std::memcpy(&copy, &element, sizeof(copy));
  std::atomic_thread_fence(std::memory_order_acquire);
  if (id.load(std::memory_order_relaxed) != id_before || phase.load(std::memory_order_relaxed) != phase_before)
    return std::nullopt;
  copy.phase = phase_before;
  return copy;
}

}  // namespace

std::optional<ProxyWireConnection> describe_wire_connection(const sonde_wire_connection& connection,
                                                            std::uint64_t now) {
  if (connection.phase < SONDE_WIRE_JOINING || connection.phase > SONDE_WIRE_ABORTED) return std::nullopt;
  const auto ends = ends_of(connection);
  const auto& [client, upstream] = connection.sides;
  const auto last_seen = std::max({client.last_seen, upstream.last_seen, connection.joined});
  return ProxyWireConnection{.id = connection.id,
                             .state = state_of(connection),
                             .client = ends.client,
                             .listener = ends.proxy_to_client,
                             .proxy = ends.proxy_to_upstream,
                             .upstream = ends.upstream,
                             .server_name = {},
                             .route = {},
                             .age = since(connection.joined, now),
                             .idle = since(last_seen, now),
                             .from_client = stream_of(client),
                             .from_upstream = stream_of(upstream)};
}

std::vector<ListedConnection> list_table(const Table& table) {
  constexpr int attempts = 3;  // a phase changes a few times in the life of a connection
  std::vector<ListedConnection> listed;
  const auto now = static_cast<std::uint64_t>(monotonic_ns());
  for (std::uint32_t index = 0; index < table.used(); ++index) {
    std::optional<sonde_wire_connection> copy;
    for (int i = 0; i < attempts && !copy; ++i) copy = copy_of(table.at(index));
    auto described = copy ? describe_wire_connection(*copy, now) : std::nullopt;
    if (!described) continue;
    auto record = table.read_record(index);
    // Of another connection by now?
    if (table.at(index).id != described->id) record = std::string();
    listed.push_back({.connection = std::move(*described), .record = record ? std::move(*record) : std::string()});
  }
  return listed;
}

}  // namespace sonde::proxy

namespace sonde {

const char* proxy_wire_state_name(ProxyWireState state) {
  static constexpr std::array names{"joining", "spliced", "half-closed", "closing", "aborted"};
  const auto index = static_cast<std::size_t>(state);
  return index < names.size() ? names[index] : "";
}

}  // namespace sonde
