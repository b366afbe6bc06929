// SPDX-License-Identifier: Apache-2.0
// Work inside network namespaces that are known by inode number.
#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>

#include "base/fd.hpp"

namespace sonde::drops {

/// Remembers where each namespace was found, never a descriptor of it: that would keep the namespace alive.
class NetworkNamespaces {
 public:
  /// Calls `work` inside the namespace, on a thread of its own: the caller's stays where it is. False: no process runs
  /// in it and /run/netns does not name it, or it may not be entered.
  bool call(std::uint32_t inode, const std::function<void()>& work);

 private:
  using Clock = std::chrono::steady_clock;

  [[nodiscard]] Fd open(std::uint32_t inode);
  void look_again();

  std::unordered_map<std::uint32_t, std::string> paths_;
  Clock::time_point looked_at_{};
};

/// Inode number of the namespace of this process; 0: /proc does not tell.
[[nodiscard]] std::uint32_t own_network_namespace();

}  // namespace sonde::drops
