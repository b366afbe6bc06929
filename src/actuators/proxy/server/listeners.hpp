// SPDX-License-Identifier: Apache-2.0
// The listening sockets of all workers: opened, inherited, handed on.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "actuators/proxy/process/sockets.hpp"
#include "sonde/proxy.hpp"

namespace sonde::proxy {

/// Keeps a descriptor of each socket, so that it can be handed on; workers accept from duplicates. One socket a worker
/// and address (SO_REUSEPORT), unless fewer were inherited.
class Listeners {
 public:
  explicit Listeners(unsigned workers) : workers_(workers) {}

  /// Sockets from systemd or from the proxy before. Those that no listener has the address of are closed by
  /// close_spare().
  void inherit(std::vector<ListeningSocket> sockets);
  /// Makes what is missing for these. On failure nothing has changed.
  Result<void> open(const std::vector<ProxyListener>& listeners);
  /// What worker `index` accepts from for this address: every socket is some worker's, and every worker has one.
  [[nodiscard]] Result<std::vector<Fd>> sockets_of(const Endpoint& address, unsigned index) const;
  void close(const Endpoint& address) { sockets_.erase(address); }
  /// Gives the addresses that were inherited and that nobody listens on.
  std::vector<Endpoint> close_spare(const std::vector<ProxyListener>& listeners);
  void close_all() { sockets_.clear(); }
  /// For the next proxy.
  [[nodiscard]] Result<std::vector<ListeningSocket>> duplicates() const;
  [[nodiscard]] bool has(const Endpoint& address) const { return sockets_.contains(address); }

 private:
  unsigned workers_;
  std::map<Endpoint, std::vector<Fd>> sockets_;
};

}  // namespace sonde::proxy
