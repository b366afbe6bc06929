// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sonde/filter.hpp"
#include "sonde/flow.hpp"
#include "sonde/owner.hpp"

namespace sonde {

/// Which packets are put together to flows, and how.
struct FlowOptions {
  /// Names; "any": all; "eth0+eth1": the two are one group, a flow may come by one and leave by the other. Empty: that
  /// of the default route, "any" if there is none. Else each interface has flows of its own, so that nothing counts
  /// twice.
  std::vector<std::string> interfaces;
  std::string source = "auto";  ///< auto, ebpf, afpacket, file
  std::string read_file;        ///< pcap or pcapng to replay ("-": standard input); makes the source "file"
  FilterOptions filter;
  std::optional<std::string> xdp_mode;  ///< eBPF: auto, native, generic, off; unset: off (tc ingress)

  /// eBPF: who owns each local end. Unset: if it is to be had, else a notice; true, or something in `owner`: an error
  /// then.
  std::optional<bool> owners;
  OwnerOptions owner;

  std::uint32_t max_flows = 65536;  ///< room in the kernel; what is beyond goes packet by packet
  std::chrono::nanoseconds idle_timeout{std::chrono::seconds(60)};  ///< a flow without a packet for so long has ended
  std::chrono::nanoseconds active_timeout{std::chrono::seconds(300)};  ///< one that goes on is recorded every so often
  std::optional<std::uint64_t> buffer_bytes;                           ///< kernel to user space; unset: 4 MiB
};

}  // namespace sonde
