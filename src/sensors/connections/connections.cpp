// SPDX-License-Identifier: Apache-2.0
#include "sensors/connections/connections.hpp"

#include <algorithm>
#include <array>
#include <iterator>

#include "filter/endpoints.hpp"
#include "kernel/tracing.hpp"
#include "sensors/connections/decode.hpp"

extern "C" {
extern const std::uint8_t sonde_connections_bpf_object[];
extern const std::uint8_t sonde_connections_bpf_object_end[];
extern const std::uint8_t sonde_connect_bpf_object[];
extern const std::uint8_t sonde_connect_bpf_object_end[];
}

namespace sonde::connections {
namespace {

// Resets first: a connection whose end is seen has its reset seen too.
constexpr std::array state_programs{"sonde_connection_receive_reset", "sonde_connection_send_reset",
                                    "sonde_connection_state"};
constexpr std::array connect_programs{"sonde_connection_ipv4", "sonde_connection_ipv6"};
// What the two objects have in common.
constexpr std::array shared_maps{"sonde_rings", "sonde_counts", "sonde_connections"};

Result<void> prepare(kernel::Object& object, const owners::OwnerTracking& owners, std::size_t ring_bytes) {
  auto shared = owners.share(object);
  return shared ? events::prepare_ring(object, ring_bytes) : shared;
}

Result<kernel::Object> load_object(const owners::OwnerTracking& owners, std::size_t ring_bytes) {
  auto object =
      kernel::Object::open({sonde_connections_bpf_object, sonde_connections_bpf_object_end}, "sonde_connections");
  if (!object) return object;
  if (auto prepared = prepare(*object, owners, ring_bytes); !prepared) return std::unexpected(prepared.error());
  if (auto loaded = object->load(); !loaded) return std::unexpected(loaded.error());
  return object;
}

Result<void> share_maps(const kernel::Object& from, kernel::Object& to) {
  for (const char* map : shared_maps) {
    const auto fd = from.map_fd(map);
    if (!fd) return std::unexpected(fd.error());
    if (auto shared = to.reuse_map(map, *fd); !shared) return shared;
  }
  return {};
}

template <class Programs>
Result<void> attach(const kernel::Object& object, const Programs& programs, std::vector<kernel::Link>& links) {
  for (const char* program : programs) {
    auto link = kernel::attach_tracing(object, program);
    if (!link) return std::unexpected(link.error());
    links.push_back(std::move(*link));
  }
  return {};
}

// The links keep the programs, so the object may go.
Result<void> watch_connect(const kernel::Object& states, const owners::OwnerTracking& owners, std::size_t ring_bytes,
                           std::vector<kernel::Link>& links) {
  auto object = kernel::Object::open({sonde_connect_bpf_object, sonde_connect_bpf_object_end}, "sonde_connect");
  if (!object) return std::unexpected(object.error());
  if (auto prepared = prepare(*object, owners, ring_bytes); !prepared) return prepared;
  if (auto shared = share_maps(states, *object); !shared) return shared;
  if (auto loaded = object->load(); !loaded) return loaded;
  std::vector<kernel::Link> both;
  if (auto attached = attach(*object, connect_programs, both); !attached) return attached;
  std::ranges::move(both, std::back_inserter(links));
  return {};
}

std::optional<Connection> decode(std::span<const std::uint8_t> record, const WallClock& clock,
                                 owners::OwnerTracking& owners) {
  const auto event = read_record(record);
  if (!event) return std::nullopt;
  auto connection = connection_from(*event, clock);
  connection.owner = owners.resolve(event->owner);
  return connection;
}

}  // namespace

Result<std::unique_ptr<pipeline::EventSource<Connection>>> open(const events::SensorRequest& request) {
  auto owners = owners::OwnerTracking::start(request.owner);
  if (!owners) return std::unexpected(owners.error());
  auto object = load_object(**owners, request.buffer_bytes);
  if (!object) return std::unexpected(object.error());
  auto ring = events::open_ring(*object, request.buffer_bytes);
  if (!ring) return std::unexpected(ring.error());
  std::vector<kernel::Link> links;
  if (auto attached = attach(*object, state_programs, links); !attached) return std::unexpected(attached.error());
  std::vector<std::string> notices;
  if (auto watched = watch_connect(*object, **owners, request.buffer_bytes, links); !watched)
    notices.push_back("connect() that fails before a SYN is sent (no route) is not seen: " + watched.error().text());
  auto* const tracking = owners->get();
  auto wanted = [filter = request.filter, tracking](const Connection& connection) {
    return filter::matches_endpoints(filter, connection.socket) && tracking->wanted(connection.owner);
  };
  events::Sensor<Connection> sensor{.owners = std::move(*owners),
                                    .object = std::move(*object),
                                    .links = std::move(links),
                                    .decode = decode,
                                    .wanted = std::move(wanted),
                                    .notices = std::move(notices),
                                    .hook_note = {}};
  return std::make_unique<events::SensorSource<Connection>>(std::move(sensor), std::move(*ring));
}

}  // namespace sonde::connections
