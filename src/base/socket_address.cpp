// SPDX-License-Identifier: Apache-2.0
#include "base/socket_address.hpp"

#include <arpa/inet.h>

#include <cstring>

namespace sonde {
namespace {

constexpr std::size_t mapped_prefix = 12;  // ::ffff:0:0/96

using AddressCall = int (*)(int, sockaddr*, socklen_t*);

Endpoint ask(int fd, AddressCall call) {
  SocketAddress address;
  socklen_t size = SocketAddress::capacity();
  return call(fd, address.get(), &size) == 0 ? address.endpoint() : Endpoint{};
}

}  // namespace

SocketAddress::SocketAddress(const Endpoint& endpoint) {
  if (endpoint.is_ipv4()) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(endpoint.port);
    std::memcpy(&address.sin_addr, endpoint.address.data() + mapped_prefix, sizeof(address.sin_addr));
    std::memcpy(&storage_, &address, sizeof(address));
    return;
  }
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(endpoint.port);
  std::memcpy(&address.sin6_addr, endpoint.address.data(), sizeof(address.sin6_addr));
  std::memcpy(&storage_, &address, sizeof(address));
}

Endpoint SocketAddress::endpoint() const {
  Endpoint endpoint;
  if (family() == AF_INET) {
    sockaddr_in address{};
    std::memcpy(&address, &storage_, sizeof(address));
    endpoint.address[10] = endpoint.address[11] = 0xff;
    std::memcpy(endpoint.address.data() + mapped_prefix, &address.sin_addr, sizeof(address.sin_addr));
    endpoint.port = ntohs(address.sin_port);
  } else if (family() == AF_INET6) {
    sockaddr_in6 address{};
    std::memcpy(&address, &storage_, sizeof(address));
    std::memcpy(endpoint.address.data(), &address.sin6_addr, sizeof(address.sin6_addr));
    endpoint.port = ntohs(address.sin6_port);
  }
  return endpoint;
}

Endpoint local_endpoint(int fd) { return ask(fd, ::getsockname); }
Endpoint remote_endpoint(int fd) { return ask(fd, ::getpeername); }

}  // namespace sonde
