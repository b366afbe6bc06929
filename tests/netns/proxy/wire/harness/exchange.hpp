// SPDX-License-Identifier: Apache-2.0
// Many connections on which both sides send without pause, and compare all that arrives.
#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "harness/netns.hpp"
#include "sonde/endpoint.hpp"

namespace sonde::test {

struct Exchange {
  const NetworkNamespace& client;
  const NetworkNamespace& server;
  Endpoint proxy;     ///< where clients connect to
  Endpoint listener;  ///< where the server is
  std::size_t connections = 1;
  std::size_t at_once = 1;
  /// Bytes each way behind the hello, chosen by the connection's number.
  std::uint64_t least = 0, most = 1 << 20;
  std::string name = "name.test";
  std::chrono::milliseconds patience = std::chrono::seconds{60};  ///< without any byte
  int listening = -1;  ///< a listening socket of the server's that is there already; else one is made
  std::function<std::string()> look = {};  ///< at the hosts, while a connection is stuck
  bool may_fail = false;                   ///< some are expected to: the others go on
};

struct Exchanged {
  struct Connection {
    Endpoint client;                 ///< of its socket
    std::uint64_t up = 0, down = 0;  ///< received by the server, with the hello; by the client
  };
  std::vector<Connection> connections;  ///< that are whole: every byte both ways, and both ends
  std::vector<std::string> failures;
  /// Between two reads of a socket that has yet to receive.
  std::chrono::nanoseconds longest_pause{0};

  [[nodiscard]] std::uint64_t up() const;
  [[nodiscard]] std::uint64_t down() const;
  [[nodiscard]] std::string text() const;
};

Exchanged run_exchange(const Exchange& exchange);

}  // namespace sonde::test
