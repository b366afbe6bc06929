// SPDX-License-Identifier: Apache-2.0
// Packets between the namespaces of a test.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "harness/netns.hpp"
#include "harness/packet_builder.hpp"

namespace sonde::test {

/// Two namespaces joined by a veth pair: `left` has veth0 with 10.9.0.1, `right` has veth1 with 10.9.0.2. Neighbours
/// are set for good, so every packet is the test's. With IPv6 also fd09::1 and fd09::2, and then the kernel sends
/// multicast listener reports when it likes: filter by address.
struct Pair {
  NetworkNamespace left;
  NetworkNamespace right;
  explicit Pair(NetworkNamespace::Ipv6 ipv6 = NetworkNamespace::Ipv6::off);
};

/// Sends frames as they are on an interface.
void send_frames(const NetworkNamespace& where, const std::string& interface, const std::vector<Bytes>& frames);
/// The same frame many times.
void send_frame(const NetworkNamespace& where, const std::string& interface, const Bytes& frame, std::size_t count = 1);

/// One UDP datagram from a port to an address and port.
void send_udp(const NetworkNamespace& where, const std::string& to, std::uint16_t from_port, std::uint16_t port,
              const std::string& text);

/// A TCP connection from `client` to `address` in `server`: opened, `request` sent, `reply` sent back, closed.
void exchange_tcp(const NetworkNamespace& client, const NetworkNamespace& server, const std::string& address,
                  std::uint16_t client_port, std::uint16_t port, const std::string& request, const std::string& reply);

}  // namespace sonde::test
