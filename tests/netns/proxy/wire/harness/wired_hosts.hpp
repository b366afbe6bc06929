// SPDX-License-Identifier: Apache-2.0
// A client, a proxy and a server, each a host of its own, and what lies between them.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "actuators/proxy/wire/wire.abi.h"
#include "bad_link.hpp"
#include "proxied.hpp"
#include "sonde/endpoint.hpp"

namespace sonde::test {

/// client 10.8.1.1 - 10.8.1.2 proxy 10.8.2.2 - 10.8.2.1 server; also fd08:1::1, fd08:1::2, fd08:2::2, fd08:2::1.
/// Devices: eth0 - west, east - eth0.
struct WiredHosts {
  /// A side without badness is a veth pair.
  explicit WiredHosts(std::optional<Badness> west = {}, std::optional<Badness> east = {});

  NetworkNamespace client{NetworkNamespace::Ipv6::on};
  NetworkNamespace proxy{NetworkNamespace::Ipv6::on};
  NetworkNamespace server{NetworkNamespace::Ipv6::on};
  std::unique_ptr<BadLink> west, east;
};

/// A listener at every address of the proxy's west side and a route to the server's east address, both of one family.
Json wired_config(const std::string& forwarding, bool client_ipv6 = false, bool server_ipv6 = false);

inline constexpr const char* proxy_ipv4 = "10.8.1.2";
inline constexpr const char* proxy_ipv6 = "fd08:1::2";
inline constexpr const char* server_ipv4 = "10.8.2.1";
inline constexpr const char* server_ipv6 = "fd08:2::1";
inline constexpr std::uint16_t proxy_port = 8443;
inline constexpr std::uint16_t server_port = 9443;

Endpoint endpoint_at(const std::string& address, std::uint16_t port);

/// A counter of the namespace since it was made, by the name that nstat has for it: "TcpRetransSegs",
/// "TcpExtTCPTimeouts".
std::uint64_t kernel_counter(const NetworkNamespace& where, const std::string& name);

/// "wire", or what SONDE_TEST_WIRE_FORWARDING says: with "splice" the tests themselves are tested.
std::string wire_forwarding();

/// The elements of the table in the kernel that hold a connection, as a reader sees them who is not the proxy. None if
/// there is no table.
std::vector<sonde_wire_connection> wire_connections(const NetworkNamespace& where);
/// The connection of this client, that nobody has ended yet. Nullopt: there is none.
std::optional<sonde_wire_connection> wire_connection(const NetworkNamespace& where, const Endpoint& client);
/// Waits until its sockets sleep and packets go by. False: it has not come to that. With wire_forwarding() only.
bool comes_to_the_wire(const NetworkNamespace& where, const Endpoint& client);

/// The path that connections took, by /status.
std::uint64_t connections_by(const Proxied& proxy, const std::string& path);

}  // namespace sonde::test
