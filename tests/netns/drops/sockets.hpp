// SPDX-License-Identifier: Apache-2.0
// Sockets whose packets are dropped, in this process or in one of their own.
#pragma once
#include <netinet/in.h>
#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>

#include "base/fd.hpp"
#include "harness/netns.hpp"

namespace sonde::test {

/// A socket in the namespace, bound to the port of all addresses; 0: not bound.
Fd open_socket(const NetworkNamespace& where, int family, int type, std::uint16_t port = 0);

/// sendto(2) or connect(2) to an address as text; the result is errno, or 0.
int send_to(const Fd& socket, const std::string& address, std::uint16_t port, const std::string& text = "drop");
int connect_to(const Fd& socket, const std::string& address, std::uint16_t port);

/// A process in the namespace that opens a socket and then sleeps.
class SocketProcess {
 public:
  SocketProcess(const NetworkNamespace& where, int family, int type, std::uint16_t port);
  SocketProcess(const SocketProcess&) = delete;
  SocketProcess& operator=(const SocketProcess&) = delete;
  ~SocketProcess();

  [[nodiscard]] std::uint32_t pid() const { return static_cast<std::uint32_t>(pid_); }

 private:
  pid_t pid_ = -1;
};

}  // namespace sonde::test
