// SPDX-License-Identifier: Apache-2.0
// What kernel programs record of endpoints and sockets, as values.
#pragma once
#include <sonde/abi/socket.h>

#include <algorithm>
#include <cstdint>

#include "sonde/endpoint.hpp"

namespace sonde::model {

/// `port` in host byte order.
[[nodiscard]] inline Endpoint endpoint_of(const std::uint8_t (&address)[16], std::uint16_t port) {
  Endpoint endpoint{.port = port};
  std::ranges::copy(address, endpoint.address.begin());
  return endpoint;
}

[[nodiscard]] inline Socket socket_of(const sonde_socket& raw) {
  return {.local = endpoint_of(raw.local_address, raw.local_port),
          .remote = endpoint_of(raw.remote_address, raw.remote_port),
          .protocol = raw.protocol,
          .state = raw.state,
          .network_namespace = raw.network_namespace,
          .cookie = raw.cookie};
}

}  // namespace sonde::model
