// SPDX-License-Identifier: Apache-2.0
// The least that a proxy can be: a loop, relays, a path. The self-test and tests send data through it.
#pragma once
#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "actuators/proxy/forward/relay.hpp"
#include "actuators/proxy/path/path.hpp"
#include "sonde/endpoint.hpp"
#include "sonde/result.hpp"

namespace sonde::proxy {

struct TrialOptions {
  Endpoint listen;   ///< port 0: any
  Endpoint backend;  ///< where every connection goes
  KernelPath* path = nullptr;
  bool splice = false;
  // Of the clients' sockets and of those to the backend, bytes; 0: as the kernel has them. Without privileges it may
  // give less.
  int receive_buffer = 0;
  int send_buffer = 0;
  std::vector<std::uint8_t> prefix;  ///< that the backend gets before the client's bytes
  std::chrono::seconds patience{2};  ///< with a client's first bytes; all others wait meanwhile
};

/// Reads the first bytes of a client, connects to the backend, and relays on two threads of its own until it is
/// destroyed; then what is left is reset.
class TrialProxy {
 public:
  [[nodiscard]] static Result<std::unique_ptr<TrialProxy>> start(const TrialOptions& options);
  ~TrialProxy();

  [[nodiscard]] const Endpoint& address() const;
  /// How the connections ended that have.
  [[nodiscard]] std::vector<RelayResult> results() const;
  /// Bytes that the path has carried, of connections that have not ended.
  [[nodiscard]] Carried carried() const;

 private:
  struct State;
  explicit TrialProxy(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace sonde::proxy
