// SPDX-License-Identifier: Apache-2.0
// Connections to upstreams: by happy eyeballs (RFC 8305), and through SOCKS5.
#pragma once
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "actuators/proxy/loop/loop.hpp"
#include "actuators/proxy/loop/task.hpp"
#include "sonde/endpoint.hpp"
#include "sonde/proxy.hpp"
#include "sonde/result.hpp"

namespace sonde::proxy {

struct Connected {
  std::unique_ptr<Channel> channel;
  Endpoint address;
};

struct ConnectOptions {
  std::chrono::milliseconds timeout{5000};  ///< each address
  /// Told of each socket before connect(); may be empty.
  std::function<void(int fd, const Endpoint& address)> prepare;
};

/// The first of `addresses` (with their ports) to which a connection comes about. The next is tried when one fails, or
/// has not answered within 250 ms; those that are late are closed. The error is that of the last to fail, with its
/// errno; ETIMEDOUT when none answered.
[[nodiscard]] Task<Result<Connected>> connect_any(Loop& loop, std::vector<Endpoint> addresses, ConnectOptions options);

struct Socks5Traffic {
  std::uint64_t sent = 0;      ///< bytes to the server
  std::uint64_t received = 0;  ///< bytes of its answers; nothing behind them is read
};

/// Asks the SOCKS5 server at the other end for a connection to host:port.
[[nodiscard]] Task<Result<Socks5Traffic>> connect_through(Loop& loop, Channel& channel, ProxySocks5 server,
                                                          ProxyUpstream target, Clock::time_point deadline);

/// All of it; false: the deadline has passed, or the peer is gone.
[[nodiscard]] Task<bool> send_all(Loop& loop, Channel& channel, std::vector<std::uint8_t> bytes,
                                  Clock::time_point deadline);

}  // namespace sonde::proxy
