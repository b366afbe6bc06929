// SPDX-License-Identifier: Apache-2.0
// The wire splice: packets of a client's connection and of its upstream's are rewritten into each other at tc ingress
// and sent on, while the proxy's two sockets sleep. wire.bpf.c says how; docs/wire-splice.md explains it.
//
// The hand-over needs no pause. Byte p of a stream has one sequence number on either connection, and the two differ by
// a constant; so each byte may take either way, and may take both. join() makes packets take the wire from one to the
// next; what the sockets hold then is relayed and retransmitted by them still, and acknowledged to them; settle()
// freezes them once they hold nothing.
#pragma once
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>

#include "actuators/proxy/wire/attachment.hpp"
#include "actuators/proxy/wire/table.hpp"
#include "sonde/endpoint.hpp"
#include "sonde/result.hpp"

namespace sonde::proxy {

[[nodiscard]] const char* wire_verdict_name(sonde_wire_verdict verdict);

struct WireOptions {
  std::uint32_t connections = 65'536;
  bool is_private = false;  ///< nothing is pinned: the self-test
};

struct WireJoin {
  int client_fd = -1;
  int upstream_fd = -1;
  std::uint32_t held_to_upstream = 0;  ///< bytes read from the client's socket and not yet written to the upstream's
  std::uint32_t held_to_client = 0;
  /// Of a direction whose sender has been told of more room than the receiver has it is enough that little is held.
  /// Senders that use their room overrun the receiver then, and send again.
  bool insists = false;
};

/// Why SONDE_WIRE_UNSENT: what this direction holds, and what its sender may send, is more than the receiver takes.
struct WireExcess {
  bool to_upstream = false;
  bool to_client = false;
};

/// Any thread.
class Wire {
 public:
  /// Opens the table, loads the programs, attaches forward_packet everywhere. What it does later needs CAP_NET_ADMIN
  /// only.
  [[nodiscard]] static Result<std::unique_ptr<Wire>> make(const WireOptions& options);
  ~Wire();

  /// Whether both peers are remote, so that their packets come and go by an interface. Cheap.
  [[nodiscard]] bool suits(const Endpoint& client_remote, const Endpoint& upstream_remote) const;
  /// Before connect() of an upstream socket: its peer is told to send no longer segments than the client takes.
  void prepare_upstream(int upstream_fd, int client_fd) const;
  /// From now on packets of both take the wire. `index` is the element of the table then.
  [[nodiscard]] sonde_wire_verdict join(const WireJoin& request, std::uint32_t& index, WireExcess* excess = nullptr);
  /// Both sockets are frozen, and the connection needs its process no more. False: they hold something still, or have
  /// received something since; ask again.
  [[nodiscard]] bool settle(std::uint32_t index, int client_fd, int upstream_fd);
  /// Both peers are reset, whether it has settled or not; the sockets are closed by the caller after that, frozen.
  void abort(std::uint32_t index, int client_fd, int upstream_fd);

  [[nodiscard]] Table& table() const;
  [[nodiscard]] Attachment& attachment() const;

  struct Counts {
    std::uint64_t joined = 0;
    std::uint64_t no_place = 0;                                 ///< the table was full
    std::array<std::uint64_t, SONDE_WIRE_VERDICTS> verdicts{};  ///< of join(), by sonde_wire_verdict
  };
  [[nodiscard]] Counts counts() const;

  struct State;

 private:
  explicit Wire(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace sonde::proxy
