// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <array>
#include <cstdint>
#include <map>
#include <mutex>

#include "sonde/endpoint.hpp"

namespace sonde::proxy {

/// Connections at a time by client address, for ProxyLimits::connections_per_client. Any thread.
class ClientCounts {
 public:
  /// False, and not counted: it has `most` already.
  [[nodiscard]] bool enter(const Endpoint& client, std::uint32_t most) {
    const std::lock_guard lock(mutex_);
    auto& count = counts_[client.address];
    if (count >= most) return false;
    ++count;
    return true;
  }
  void leave(const Endpoint& client) {
    const std::lock_guard lock(mutex_);
    const auto found = counts_.find(client.address);
    if (found != counts_.end() && --found->second == 0) counts_.erase(found);
  }

 private:
  std::mutex mutex_;
  std::map<std::array<std::uint8_t, 16>, std::uint32_t> counts_;
};

}  // namespace sonde::proxy
