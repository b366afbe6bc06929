// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <string>

#include "actuators/proxy/stats/words.hpp"
#include "sonde/endpoint.hpp"

namespace sonde::proxy {

inline Endpoint at(const std::string& address, std::uint16_t port = 0) {
  Endpoint endpoint = parse_client_address(address).value_or(Endpoint{});
  endpoint.port = port;
  return endpoint;
}

}  // namespace sonde::proxy
