// SPDX-License-Identifier: Apache-2.0
// What a forwarding path is: something in the kernel that may carry the bytes of an established connection in place of
// the relay in user space (forward/relay.hpp). The relay stays beneath it: it carries what the path does not take, and
// passes on the ends of both streams. A path is chosen by connection; one that declines or fails leaves the relay as it
// was.
#pragma once
#include <cstdint>
#include <memory>
#include <span>

#include "sonde/endpoint.hpp"
#include "sonde/proxy.hpp"
#include "sonde/result.hpp"

namespace sonde::proxy {

enum class Direction : std::uint8_t { to_upstream, to_client };

struct Carried {
  std::uint64_t to_upstream = 0;  ///< bytes
  std::uint64_t to_client = 0;
};

/// The proxy's two sockets of one connection.
struct SocketPair {
  int client_fd = -1;
  int upstream_fd = -1;
  Endpoint client_remote;  ///< getpeername of the client's socket, whatever a PROXY header says
  Endpoint client_local;   ///< getsockname of it
  Endpoint upstream_remote;
  /// Position in the upstream's stream of the client's byte 0: bytes that the proxy sent of its own (PROXY header,
  /// SOCKS5), less the bytes of the client's that it kept (PROXY header in).
  std::int64_t skew_to_upstream = 0;
  /// The same the other way: less the bytes of SOCKS5 answers.
  std::int64_t skew_to_client = 0;
};

/// One connection on a path of the kernel. Destroying it takes the sockets off the path; they are open still.
/// Used by the thread that made it.
class KernelRelay {
 public:
  virtual ~KernelRelay() = default;
  /// What user space held (the ClientHello) has been written to the upstream's socket. Until then only what may
  /// overtake nothing is carried. Called once.
  virtual void begin() = 0;
  /// What the kernel carried so far. One or two system calls.
  [[nodiscard]] virtual Carried carried() const = 0;
  /// Whether all that the kernel took in this direction is in the send queue or receive queue of the socket it is for,
  /// so that the end of the stream may be passed on. False: ask again in some milliseconds.
  [[nodiscard]] virtual bool delivered(Direction direction) = 0;
  /// Whether bytes of this direction that user space has read may be written now. False: bytes that came before them
  /// are on their way through the kernel still; ask again soon. Asked after begin(), before each write of such bytes.
  [[nodiscard]] virtual bool may_write(Direction) { return true; }
  /// Whether splice() reads what the socket that this direction comes from has received. Asked after begin().
  [[nodiscard]] virtual bool may_splice(Direction) const { return true; }
};

/// One for all workers; every member may be called by any of them at once, but for set_listeners().
class KernelPath {
 public:
  virtual ~KernelPath() = default;
  [[nodiscard]] virtual ProxyForwarding kind() const = 0;
  /// The addresses that clients connect to; replaces those before. A wildcard stands for every address of this host.
  [[nodiscard]] virtual Result<void> set_listeners(std::span<const Endpoint>) { return {}; }
  /// Whether a connection between these may be carried at all, by their addresses. Cheap.
  [[nodiscard]] virtual bool suits(const Endpoint& client_remote, const Endpoint& upstream_remote) const = 0;
  /// Before connect() of an upstream socket that suits. A failure means that take() will decline.
  virtual void prepare_upstream(int) {}
  /// Both sockets are connected; nothing of the client's stream has been sent on yet. Null: declined, by reason
  /// counted.
  [[nodiscard]] virtual std::unique_ptr<KernelRelay> take(const SocketPair& pair) = 0;
};

}  // namespace sonde::proxy
