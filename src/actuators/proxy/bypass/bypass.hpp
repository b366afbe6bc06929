// SPDX-License-Identifier: Apache-2.0
// The local bypass: when client and backend are both on this host, what one sends lands in the receive queue of the
// other (sk_msg), and the proxy's own sockets sleep. bypass.bpf.c says how and when.
//
// A connection is taken when it has lived for some milliseconds, and if both programs have set O_NONBLOCK. What they
// notice of it: nothing, but that
// - recv() with MSG_WAITALL may return less than was asked for;
// - splice(2) and sendfile(2) do not read from such a socket, and before Linux 6.18 FIONREAD does not count what lies
//   there (recv(), read() and poll() do);
// - who closes without having read everything ends the stream, where TCP would reset it;
// - two threads that send on one socket at the same time may find their messages in either order, even if one is long;
// - TCP_NOTSENT_LOWAT is 1.
// When this process ends, however it does, nothing more is captured. Sockets that are captured hold redirect_msg and
// its maps until they are closed; so what lies unread in them is not lost.
#pragma once
#include <cstdint>
#include <memory>

#include "actuators/proxy/bypass/bypass.abi.h"
#include "actuators/proxy/path/path.hpp"

namespace sonde::proxy {

struct BypassOptions {
  std::uint32_t entries = 65'536;  ///< sockets, two a connection
  bool stats = true;               ///< TRAFFIC_STATS and CONNECTION_STATS
};

class Bypass : public KernelPath {
 public:
  /// Loads and attaches the programs, for connections of the network namespace of the calling thread. What it does
  /// later needs no privileges (Linux 5.19).
  [[nodiscard]] static Result<std::unique_ptr<Bypass>> make(const BypassOptions& options = {});
  ~Bypass() override;

  [[nodiscard]] ProxyForwarding kind() const override { return ProxyForwarding::bypass; }
  [[nodiscard]] Result<void> set_listeners(std::span<const Endpoint> listeners) override;
  [[nodiscard]] bool suits(const Endpoint& client_remote, const Endpoint& upstream_remote) const override;
  void prepare_upstream(int upstream_fd) override;
  [[nodiscard]] std::unique_ptr<KernelRelay> take(const SocketPair& pair) override;

  /// All zero without statistics.
  [[nodiscard]] sonde_bypass_connections connections() const;
  [[nodiscard]] sonde_bypass_traffic traffic() const;
  /// What the self-test moved does not count, and its thread ends. No connection is on the path.
  void reset_counters();
  /// Whether the socket of this local and remote end is in SOCK_MAP.
  [[nodiscard]] bool has_captured(const Endpoint& local, const Endpoint& remote) const;

  struct State;

 private:
  explicit Bypass(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace sonde::proxy
