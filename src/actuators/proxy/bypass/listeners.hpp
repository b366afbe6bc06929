// SPDX-License-Identifier: Apache-2.0
// The addresses whose clients may be on this host: LISTENERS follows those of the proxy and those of the host.
#pragma once
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <set>
#include <shared_mutex>
#include <span>
#include <utility>
#include <vector>

#include "kernel/host_addresses.hpp"
#include "sonde/endpoint.hpp"
#include "sonde/result.hpp"

namespace sonde::proxy {

/// Members may be called by any thread at once.
class BypassListeners {
 public:
  BypassListeners(kernel::HostAddresses host, int map_fd) : map_fd_(map_fd), host_(std::move(host)) {}

  /// Replaces those before. A wildcard stands for every address of its family.
  [[nodiscard]] Result<void> set(std::span<const Endpoint> listeners);
  /// Whether both are addresses of this host, as it was a moment ago.
  [[nodiscard]] bool are_local(const kernel::Address& a, const kernel::Address& b);

 private:
  using Key = std::pair<kernel::Address, std::uint16_t>;

  void refresh_if_old();
  /// Writes to LISTENERS what is missing there and removes what is too much. The mutex is held.
  Result<void> write();
  [[nodiscard]] std::set<Key> expand() const;

  const int map_fd_;
  std::atomic<std::chrono::steady_clock::rep> refreshed_at_{0};
  std::shared_mutex mutex_;  ///< of what follows
  kernel::HostAddresses host_;
  std::vector<Endpoint> listeners_;
  std::set<Key> written_;  ///< what LISTENERS holds
};

}  // namespace sonde::proxy
