// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <map>

#include "sonde/result.hpp"

namespace sonde::doctor {

/// Bits of NETDEV_A_DEV_XDP_FEATURES (include/uapi/linux/netdev.h).
enum XdpFeature : std::uint64_t {
  xdp_basic = 1,            ///< native XDP with PASS, DROP, TX, ABORTED
  xdp_receive_scatter = 32  ///< packets in several buffers
};

/// XDP features by ifindex as the drivers state them, from the generic netlink family "netdev" (Linux 6.3). Asks only.
[[nodiscard]] Result<std::map<std::uint32_t, std::uint64_t>> list_xdp_features();

}  // namespace sonde::doctor
