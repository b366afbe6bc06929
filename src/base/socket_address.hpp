// SPDX-License-Identifier: Apache-2.0
// An endpoint as the socket calls want it, and back.
#pragma once
#include <netinet/in.h>
#include <sys/socket.h>

#include "sonde/endpoint.hpp"

namespace sonde {

/// IPv4-mapped endpoints are AF_INET, all others AF_INET6.
class SocketAddress {
 public:
  SocketAddress() = default;
  explicit SocketAddress(const Endpoint& endpoint);

  [[nodiscard]] int family() const { return storage_.ss_family; }
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage_); }
  /// To be filled by accept4() and the like, with room for capacity() bytes.
  [[nodiscard]] sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage_); }
  [[nodiscard]] socklen_t size() const { return family() == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6); }
  [[nodiscard]] static constexpr socklen_t capacity() { return sizeof(sockaddr_storage); }
  /// All zero for a family that is not IP.
  [[nodiscard]] Endpoint endpoint() const;

 private:
  sockaddr_storage storage_{};
};

/// getsockname(2) and getpeername(2); all zero where there is none.
[[nodiscard]] Endpoint local_endpoint(int fd);
[[nodiscard]] Endpoint remote_endpoint(int fd);

}  // namespace sonde
