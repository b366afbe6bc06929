// SPDX-License-Identifier: Apache-2.0
// Two sockets, joined: what arrives at one leaves by the other, both ways, until both streams have ended.
#pragma once
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "actuators/proxy/loop/loop.hpp"
#include "actuators/proxy/path/path.hpp"
#include "actuators/proxy/wire/wire.hpp"

namespace sonde::proxy {

enum class RelayEndReason : std::uint8_t {
  client_closed,    ///< both streams ended; the client's first
  upstream_closed,  ///< both streams ended; the upstream's first
  client_reset,
  upstream_reset,
  idle,         ///< ProxyTimeouts::idle
  half_closed,  ///< ProxyTimeouts::half_closed
  stopped,      ///< the proxy ended it
};
/// "client-closed", "upstream-reset" ...: of the access log and /metrics.
[[nodiscard]] const char* relay_end_reason_name(RelayEndReason reason);

struct RelayResult {
  RelayEndReason reason = RelayEndReason::stopped;
  Carried copied;   ///< through memory of the proxy; includes what was there when it began
  Carried spliced;  ///< through pipes
  Carried kernel;   ///< by the KernelRelay
  [[nodiscard]] Carried total() const {
    return {copied.to_upstream + spliced.to_upstream + kernel.to_upstream,
            copied.to_client + spliced.to_client + kernel.to_client};
  }
};

/// Memory and pipes that the relays of one worker share, so that a connection with nothing to do holds neither.
/// One a loop; outlives its relays.
class RelayPool {
 public:
  explicit RelayPool(Loop& loop);
  ~RelayPool();
  struct State;
  [[nodiscard]] State& state() { return *state_; }

 private:
  std::unique_ptr<State> state_;
};

/// Bytes go at once, urgent ones in line. Sockets that are accepted have it from their listening one.
void prepare_for_relay(int fd);

struct RelayOptions {
  bool splice = true;  ///< through pipes once it is much at a time, else always through memory
  std::chrono::milliseconds idle{3'600'000};
  std::chrono::milliseconds half_closed{3'600'000};
  bool client_prepared = false;             ///< prepare_for_relay() was done to the client's socket
  Wire* wire = nullptr;                     ///< not null: handed over to it as soon as one of the next two holds
  std::uint64_t wire_after_bytes = 0;       ///< carried, both ways together
  std::chrono::milliseconds wire_after{0};  ///< since start(), at the next bytes
};

class Relay;

/// Told once, on the loop's thread; may destroy the relay.
class RelayObserver {
 public:
  virtual ~RelayObserver() = default;
  virtual void relay_ended(Relay& relay, const RelayResult& result) = 0;
  /// In place of relay_ended(): the connection is on the wire, and these sockets are frozen. `result`: what was carried
  /// before it was. Only with RelayOptions::wire.
  virtual void relay_handed_over(Relay& /*relay*/, std::uint32_t /*index*/, Fd /*client*/, Fd /*upstream*/,
                                 const RelayResult& /*result*/) {}
};

/// Backpressure goes through: it reads no more than the other side takes, but for what one read brings (64 KiB, or a
/// pipe). An end of stream is passed on as an end of stream once all before it is, and the other direction goes on. A
/// reset is passed on as a reset. Urgent bytes arrive in line.
class Relay {
 public:
  /// `client`, `upstream`: connected. `to_upstream`: bytes that go to the upstream before anything that is read.
  /// `kernel` may be null; carried beneath it, see path.hpp. Nothing happens before start().
  Relay(Loop& loop, RelayPool& pool, std::unique_ptr<Channel> client, std::unique_ptr<Channel> upstream,
        std::vector<std::uint8_t> to_upstream, std::unique_ptr<KernelRelay> kernel, const RelayOptions& options,
        RelayObserver& observer);
  ~Relay();

  /// The observer is not told before it returns.
  void start();
  /// Ends it: both sides are reset. The observer is told before it returns.
  void abort(RelayEndReason reason);
  /// So far. Asks the kernel where it carries.
  [[nodiscard]] RelayResult so_far() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sonde::proxy
