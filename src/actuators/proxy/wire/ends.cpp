// SPDX-License-Identifier: Apache-2.0
#include <endian.h>

#include <cstring>

#include "actuators/proxy/wire/table.hpp"

namespace sonde::proxy {
namespace {

Endpoint endpoint_of(const std::uint32_t (&address)[4], std::uint16_t port) {
  Endpoint endpoint;
  std::memcpy(endpoint.address.data(), address, endpoint.address.size());
  endpoint.port = be16toh(port);
  return endpoint;
}

}  // namespace

sonde_wire_flow wire_flow(const Endpoint& source, const Endpoint& destination) {
  sonde_wire_flow flow{};
  std::memcpy(flow.source, source.address.data(), sizeof(flow.source));
  std::memcpy(flow.destination, destination.address.data(), sizeof(flow.destination));
  flow.source_port = htobe16(source.port);
  flow.destination_port = htobe16(destination.port);
  return flow;
}

Endpoint wire_source(const sonde_wire_flow& flow) { return endpoint_of(flow.source, flow.source_port); }

Endpoint wire_destination(const sonde_wire_flow& flow) { return endpoint_of(flow.destination, flow.destination_port); }

// Packets of a side leave between the ends of the other connection.
WireEnds ends_of(const sonde_wire_connection& connection) {
  const auto& to_upstream = connection.sides[SONDE_WIRE_CLIENT];
  const auto& to_client = connection.sides[SONDE_WIRE_UPSTREAM];
  return {.client = endpoint_of(to_client.destination, to_client.destination_port),
          .proxy_to_client = endpoint_of(to_client.source, to_client.source_port),
          .proxy_to_upstream = endpoint_of(to_upstream.source, to_upstream.source_port),
          .upstream = endpoint_of(to_upstream.destination, to_upstream.destination_port)};
}

std::uint64_t wire_bytes(const sonde_wire_side_state& side) {
  return side.position > side.start ? side.position - side.start : 0;
}

}  // namespace sonde::proxy
