// SPDX-License-Identifier: Apache-2.0
// The PROXY protocol, versions 1 and 2 (haproxy.org/download/2.8/doc/proxy-protocol.txt).
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "sonde/endpoint.hpp"
#include "sonde/proxy.hpp"

namespace sonde::proxy {

enum class ProxyHeaderState : std::uint8_t { incomplete, complete, malformed };

struct ProxyHeader {
  ProxyHeaderState state = ProxyHeaderState::incomplete;
  std::size_t size = 0;  ///< bytes of the header, when complete
  /// Who the client is and where it connected to. None: LOCAL, UNKNOWN or a family that is not IP: the socket's own
  /// hold.
  std::optional<Endpoint> source{};
  std::optional<Endpoint> destination{};
};

/// The header at the first byte. Checks CRC-32c where a version 2 header has one. At most 107 bytes (version 1), 16 +
/// 65535 (2).
[[nodiscard]] ProxyHeader read_proxy_header(std::span<const std::uint8_t> bytes);

/// One that says so. Mixed families are written as IPv6.
[[nodiscard]] std::vector<std::uint8_t> write_proxy_header(ProxyProtocolOut version, const Endpoint& source,
                                                           const Endpoint& destination);

}  // namespace sonde::proxy
