// SPDX-License-Identifier: Apache-2.0
#include "sensors/connections/connections.hpp"

#include "filter/endpoints.hpp"
#include "kernel/tracing.hpp"
#include "sensors/connections/decode.hpp"

extern "C" {
extern const std::uint8_t sonde_connections_bpf_object[];
extern const std::uint8_t sonde_connections_bpf_object_end[];
}

namespace sonde::connections {
namespace {

// Resets first: a connection whose end is seen has its reset seen too.
constexpr const char* programs[] = {"sonde_connection_receive_reset", "sonde_connection_send_reset",
                                    "sonde_connection_state"};

Result<kernel::Object> load_object(const owners::OwnerTracking& owners, std::size_t ring_bytes) {
  auto object =
      kernel::Object::open({sonde_connections_bpf_object, sonde_connections_bpf_object_end}, "sonde_connections");
  if (!object) return object;
  if (auto shared = owners.share(*object); !shared) return std::unexpected(shared.error());
  if (auto prepared = events::prepare_ring(*object, ring_bytes); !prepared) return std::unexpected(prepared.error());
  if (auto loaded = object->load(); !loaded) return std::unexpected(loaded.error());
  return object;
}

Result<std::vector<kernel::Link>> attach(const kernel::Object& object) {
  std::vector<kernel::Link> links;
  for (const char* program : programs) {
    auto link = kernel::attach_tracing(object, program);
    if (!link) return std::unexpected(link.error());
    links.push_back(std::move(*link));
  }
  return links;
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
  auto links = attach(*object);
  if (!links) return std::unexpected(links.error());
  auto* const tracking = owners->get();
  auto wanted = [filter = request.filter, tracking](const Connection& connection) {
    return filter::matches_endpoints(filter, connection.socket) && tracking->wanted(connection.owner);
  };
  events::Sensor<Connection> sensor{.owners = std::move(*owners),
                                    .object = std::move(*object),
                                    .links = std::move(*links),
                                    .decode = decode,
                                    .wanted = std::move(wanted),
                                    .notices = {},
                                    .hook_note = {}};
  return std::make_unique<events::SensorSource<Connection>>(std::move(sensor), std::move(*ring));
}

}  // namespace sonde::connections
