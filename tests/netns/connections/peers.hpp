// SPDX-License-Identifier: Apache-2.0
// Client and server processes of a test, each in a network namespace.
#pragma once
#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

#include "base/fd.hpp"
#include "harness/netns.hpp"

namespace sonde::test {

/// A forked process that runs a function in a network namespace and exits with its result; killed at the latest with
/// this object. The function must not use threads or the test framework.
class Peer {
 public:
  /// `work` gets a descriptor that it writes a byte to when the parent may go on (wait_until_ready).
  Peer(const NetworkNamespace& where, const std::function<int(int ready)>& work);
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  ~Peer();

  void wait_until_ready() const;
  /// Exit status; -1: still running after ten seconds, or killed.
  int wait();
  [[nodiscard]] std::uint32_t pid() const { return static_cast<std::uint32_t>(pid_); }

 private:
  pid_t pid_ = -1;
  bool gone_ = false;
  Fd ready_;
};

/// What a peer waits at until the test lets it on. Made before the peer.
class Gate {
 public:
  Gate();
  void wait() const;
  void open() const;

 private:
  Fd read_;
  Fd write_;
};

/// A listening socket on an address ("10.9.0.2", "::"), an IPv6 one also for IPv4.
Fd listen_on(const std::string& address, std::uint16_t port, int backlog = 1024);
Fd accept_from(const Fd& listener);
/// A blocking connect(); "::ffff:10.9.0.2" gives an IPv6 socket. No descriptor: errno says why.
Fd connect_to(const std::string& address, std::uint16_t port);
Fd tcp_socket(int family, int flags = 0);
/// connect() of a socket: 0 or errno.
int connect_socket(const Fd& socket, const std::string& address, std::uint16_t port);

void send_bytes(const Fd& socket, std::size_t count);
/// Until `count` bytes, the end or an error; gives the bytes read.
std::size_t read_bytes(const Fd& socket, std::size_t count);
/// To the end of the stream or an error.
std::size_t read_to_end(const Fd& socket);
/// Until the peer's kernel has acknowledged everything.
void wait_until_acknowledged(const Fd& socket);
/// close() sends RST from now on.
void reset_on_close(const Fd& socket);

/// A server that accepts one connection and calls `serve` with it.
std::function<int(int)> server(const std::string& address, std::uint16_t port,
                               const std::function<void(Fd& socket)>& serve);
/// A client that connects and calls `work`; exits with 1 when the connection fails.
std::function<int(int)> client(const std::string& address, std::uint16_t port,
                               const std::function<void(Fd& socket)>& work);

}  // namespace sonde::test
