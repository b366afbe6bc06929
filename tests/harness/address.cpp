// SPDX-License-Identifier: Apache-2.0
#include "harness/address.hpp"

#include <arpa/inet.h>

#include <stdexcept>

namespace sonde::test {

SocketAddress socket_address(const std::string& address, std::uint16_t port) {
  const std::string mapped = address.find(':') == std::string::npos ? "::ffff:" + address : address;
  Endpoint endpoint{.port = port};
  if (::inet_pton(AF_INET6, mapped.c_str(), endpoint.address.data()) != 1)
    throw std::runtime_error(address + ": not an address");
  return SocketAddress(endpoint);
}

}  // namespace sonde::test
