// SPDX-License-Identifier: Apache-2.0
// What is known about drop reasons by name. Their numbers differ from kernel to kernel.
#pragma once
#include <array>
#include <cstdint>
#include <map>
#include <string>

#include "sensors/drops/drops.abi.h"

namespace sonde::drops {

using ReasonNames = std::map<std::uint32_t, std::string>;  ///< of the running kernel, without SKB_DROP_REASON_

/// enum sonde_reason_trait bits by number, for the programs.
using ReasonTraits = std::array<std::uint8_t, SONDE_DROP_REASONS>;
[[nodiscard]] ReasonTraits reason_traits(const ReasonNames& names);

/// "NO_SOCKET"; "SUBSYS(0x20003)" for a number of a subsystem with an enum of its own (mac80211, openvswitch: bits 16
/// and up); "REASON_300" for one without a name.
[[nodiscard]] std::string reason_name(const ReasonNames& names, std::uint32_t reason);

/// How far the packet's addresses tell its socket.
enum class TupleTrust : std::uint8_t {
  full,
  connected_only,  ///< the bytes may be damaged: a port alone proves nothing
  none,            ///< the kernel has looked, and there is no socket
};
[[nodiscard]] TupleTrust tuple_trust(const std::string& reason);

}  // namespace sonde::drops
