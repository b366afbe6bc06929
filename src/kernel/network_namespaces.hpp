// SPDX-License-Identifier: Apache-2.0
// The network namespaces of the host, and work inside them. A namespace that only a file descriptor or a socket holds
// is not found.
#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/fd.hpp"
#include "sonde/result.hpp"

namespace sonde::kernel {

/// One descriptor for each network namespace that a thread runs in or that /run/netns names.
[[nodiscard]] std::vector<Fd> network_namespaces();

/// Calls `work` in each of the namespaces, on a thread of its own: the caller's stays where it is. Ends at the first
/// failure.
[[nodiscard]] Result<void> in_each_namespace(const std::vector<Fd>& namespaces,
                                             const std::function<Result<void>()>& work);

/// Inode number of the namespace of this process; 0: /proc does not tell.
[[nodiscard]] std::uint32_t own_network_namespace();

/// Namespaces that are asked for by number, again and again. Remembers where each one was found, never a descriptor of
/// it: that would keep the namespace alive.
class NetworkNamespaces {
 public:
  /// Calls `work` inside the namespace, on a thread of its own: the caller's stays where it is. False: it is not found,
  /// or may not be entered.
  bool call(std::uint32_t inode, const std::function<void()>& work);

 private:
  using Clock = std::chrono::steady_clock;

  [[nodiscard]] Fd open(std::uint32_t inode);
  void look_again();

  std::unordered_map<std::uint32_t, std::string> paths_;
  Clock::time_point looked_at_{};
};

}  // namespace sonde::kernel
