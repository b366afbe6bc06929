// SPDX-License-Identifier: Apache-2.0
// What sonde proxy takes from the kernel, tried with the proxy's own code.
#pragma once
#include <span>

#include "doctor/private_network.hpp"
#include "doctor/privileges.hpp"
#include "sonde/proxy.hpp"

namespace sonde::doctor {

/// What test_proxy_paths() says of this one.
[[nodiscard]] Finding proxy_path(std::span<const ProxyPathState> states, ProxyForwarding path,
                                 const Privileges& privileges);

/// xdp_ip_filter on the receiver: a datagram to `port` must be seen and let through.
[[nodiscard]] Finding try_client_filter(const PrivateNetwork& network, std::uint16_t port,
                                        const Privileges& privileges);

/// A name written to the map DNS_CACHE and read back.
[[nodiscard]] Finding try_dns_cache(const Privileges& privileges);

}  // namespace sonde::doctor
