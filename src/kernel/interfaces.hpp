// SPDX-License-Identifier: Apache-2.0
// The network interfaces of this network namespace.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "base/fd.hpp"
#include "sonde/packet.hpp"
#include "sonde/result.hpp"

namespace sonde::kernel {

/// The interface's own counters (rtnl_link_stats64).
struct InterfaceCounters {
  std::uint64_t rx_packets = 0;
  std::uint64_t rx_bytes = 0;
  std::uint64_t tx_packets = 0;
  std::uint64_t tx_bytes = 0;
  std::uint64_t rx_missed = 0;   ///< the device had no buffer (rx_missed_errors, rx_fifo_errors): never reached a hook
  std::uint64_t rx_dropped = 0;  ///< dropped by the driver, or by the stack behind the hooks
  std::uint64_t tx_dropped = 0;
};

struct InterfaceInfo {
  std::uint32_t ifindex = 0;
  std::string name;
  bool up = false;
  bool loopback = false;
  LinkType link_type = LinkType::ethernet;
  std::uint32_t xdp_program = 0;  ///< id, 0: none
  std::uint32_t master = 0;       ///< ifindex of the bridge, bond or VRF that it is a member of; 0: none
  std::string kind;               ///< as `ip link add type` says it; empty: a device of its driver
  InterfaceCounters counters;
};

/// All of them, by ifindex.
[[nodiscard]] Result<std::vector<InterfaceInfo>> list_interfaces();

/// Ifindex of the default route (IPv4, else IPv6; lowest metric); 0: there is none.
[[nodiscard]] Result<std::uint32_t> default_route_interface();

/// Tells about interfaces that come and go.
class InterfaceWatcher {
 public:
  [[nodiscard]] static Result<InterfaceWatcher> make();
  /// Has an interface appeared, gone or changed since the last call? Never blocks. A lost message counts as a change.
  [[nodiscard]] bool changed();

 private:
  explicit InterfaceWatcher(Fd socket) : socket_(std::move(socket)) {}
  Fd socket_;
};

}  // namespace sonde::kernel
