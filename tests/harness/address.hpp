// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <string>

#include "base/socket_address.hpp"

namespace sonde::test {

/// "10.9.0.1", "fd09::1", "0.0.0.0", "::"; throws for what is no address.
SocketAddress socket_address(const std::string& address, std::uint16_t port);

}  // namespace sonde::test
