// SPDX-License-Identifier: Apache-2.0
// The sk_skb relay: what arrives at one socket leaves by the other in the kernel, on a work queue of it (stream_verdict
// and bpf_sk_redirect_hash). sockmap.bpf.c says how order and bounds are kept. Between namespaces on two
// cores, medians of six runs: eight bulk connections 5.8 Gbit/s against 5.6 by splice at twice the CPU time of the
// proxy, 64 connections with round trips 4,500 a second against 26,000. So it is used only where it is asked for.
#pragma once
#include <cstdint>
#include <memory>

#include "actuators/proxy/path/path.hpp"

namespace sonde::proxy {

struct SockmapOptions {
  std::uint32_t entries = 65'536;  ///< sockets, two a connection
};

/// Why connections were not taken, and what the kernel did with the bytes of those that were.
struct SockmapCounters {
  std::uint64_t taken = 0;
  std::uint64_t declined_full = 0;   ///< as many connections as RELAY_MAP has room for
  std::uint64_t declined_state = 0;  ///< a socket that is not established
  std::uint64_t not_inserted = 0;    ///< taken, but when it began a side had ended; user space relays
};

class Sockmap : public KernelPath {
 public:
  /// Loads the program. Fails with ErrorKind::unsupported on a kernel that would read on from a sender while the reader
  /// stalls; that is tried.
  [[nodiscard]] static Result<std::unique_ptr<Sockmap>> make(const SockmapOptions& options = {});
  ~Sockmap() override;

  [[nodiscard]] ProxyForwarding kind() const override { return ProxyForwarding::sockmap; }
  [[nodiscard]] bool suits(const Endpoint&, const Endpoint&) const override { return true; }
  [[nodiscard]] std::unique_ptr<KernelRelay> take(const SocketPair& pair) override;

  [[nodiscard]] SockmapCounters counters() const;

  struct State;

 private:
  explicit Sockmap(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;  ///< the relays hold it too
};

}  // namespace sonde::proxy
