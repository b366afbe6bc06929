// SPDX-License-Identifier: Apache-2.0
// The programs and maps of the local bypass (bypass.bpf.c), loaded and not attached.
#pragma once
#include <cstdint>
#include <optional>

#include "actuators/proxy/bypass/bypass.hpp"
#include "kernel/mapped_array.hpp"
#include "kernel/object.hpp"

namespace sonde::proxy {

/// Members may be called by any thread at once.
struct BypassPrograms {
  /// For connections of the network namespace of the calling thread. redirect_msg sees the sockets of SOCK_MAP then.
  [[nodiscard]] static Result<BypassPrograms> load(const BypassOptions& options);

  void count(__u64 sonde_bypass_connections::*member) const;
  /// enum sonde_bypass_pairing; -1: the kernel did not let us.
  [[nodiscard]] int pair(const sonde_bypass_pair& request) const;

  kernel::Object object;
  std::optional<kernel::MappedArray> statistics;  ///< CONNECTION_STATS, if wanted
  int sockets_fd = -1;
  int connections_fd = -1;
  int listeners_fd = -1;
  int upstreams_fd = -1;
  int pair_fd = -1;
};

}  // namespace sonde::proxy
