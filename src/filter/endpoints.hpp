// SPDX-License-Identifier: Apache-2.0
// The packet filter for events that have no packet, only a socket.
#pragma once
#include <sonde/abi/packet.h>

#include <cstdint>

#include "filter/filter.hpp"
#include "sonde/endpoint.hpp"

namespace sonde::filter {

/// What is known of the packet beyond its socket. Unset, it is an acknowledgment without payload.
struct EndpointPacket {
  std::uint8_t tcp_flags = 0x10;   ///< byte 13 of the TCP header
  std::uint32_t sequence = 0;      ///< TCP, host byte order
  std::uint32_t payload_size = 0;  ///< bytes behind the transport header; they are zero to the expression
};

/// Does the filter take the packet that this socket would send (SONDE_DIRECTION_OUT) or receive? It is bare IP without
/// options (a link header is not known, so an expression about one rejects it), with TCP, UDP, SCTP or no transport
/// header by Socket::protocol. An end that is not known is the unspecified address and port 0.
[[nodiscard]] bool matches_endpoints(const CompiledFilter& filter, const Socket& socket, sonde_direction direction,
                                     const EndpointPacket& packet = {});

/// In one of the directions: the filter for events that are about a connection as a whole.
[[nodiscard]] bool matches_endpoints(const CompiledFilter& filter, const Socket& socket,
                                     const EndpointPacket& packet = {});

}  // namespace sonde::filter
