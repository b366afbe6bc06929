// SPDX-License-Identifier: Apache-2.0
#include "sensors/connections/snapshot.hpp"

#include <algorithm>
#include <cstring>
#include <tuple>

#include "base/wall_clock.hpp"
#include "filter/endpoints.hpp"
#include "kernel/network_namespaces.hpp"
#include "kernel/tracing.hpp"
#include "sensors/connections/decode.hpp"

extern "C" {
extern const std::uint8_t sonde_connections_snapshot_bpf_object[];
extern const std::uint8_t sonde_connections_snapshot_bpf_object_end[];
}

namespace sonde::connections {
namespace {

constexpr const char* iterators[] = {"sonde_snapshot_tcp", "sonde_snapshot_udp"};

Result<kernel::Object> load_object(const owners::OwnerTracking& owners) {
  auto object = kernel::Object::open({sonde_connections_snapshot_bpf_object, sonde_connections_snapshot_bpf_object_end},
                                     "sonde_connections_snapshot");
  if (!object) return object;
  if (auto shared = owners.share(*object); !shared) return std::unexpected(shared.error());
  if (auto loaded = object->load(); !loaded) return std::unexpected(loaded.error());
  return object;
}

// The records of all namespaces, one behind the other.
Result<std::string> read_all(const kernel::Object& object) {
  std::string records;
  auto done = kernel::in_each_namespace(kernel::network_namespaces(), [&]() -> Result<void> {
    for (const char* iterator : iterators) {
      auto part = kernel::run_iterator(object, iterator);
      if (!part) return std::unexpected(part.error());
      records += *part;
    }
    return {};
  });
  if (!done) return std::unexpected(done.error());
  return records;
}

auto order_of(const Connection& connection) {
  const auto& socket = connection.socket;
  return std::tie(socket.network_namespace, socket.protocol, socket.local, socket.remote, socket.state, socket.cookie);
}

bool before(const Connection& a, const Connection& b) { return order_of(a) < order_of(b); }

}  // namespace

Result<std::vector<Connection>> snapshot(const events::SensorRequest& request) {
  auto owners = owners::OwnerTracking::start(request.owner);
  if (!owners) return std::unexpected(owners.error());
  const auto object = load_object(**owners);
  if (!object) return std::unexpected(object.error());
  const auto records = read_all(*object);
  if (!records) return std::unexpected(records.error());
  (*owners)->refresh();
  const WallClock clock;
  const auto now = clock.wall_ns(static_cast<std::uint64_t>(monotonic_ns()));
  std::vector<Connection> connections;
  sonde_open_socket open;
  for (std::size_t at = 0; at + sizeof(open) <= records->size(); at += sizeof(open)) {
    std::memcpy(&open, records->data() + at, sizeof(open));
    auto connection = connection_from(open, now);
    if (!filter::matches_endpoints(request.filter, connection.socket)) continue;
    connection.owner = (*owners)->resolve(open.owner);
    if ((*owners)->wanted(connection.owner)) connections.push_back(std::move(connection));
  }
  std::ranges::sort(connections, before);
  return connections;
}

}  // namespace sonde::connections
