// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "sensors/retransmissions/retransmissions.abi.h"

#include <cstdint>

#include "sonde/retransmission.hpp"

namespace sonde::retransmissions {

/// Why the kernel sent the segment again, by the state of its TCP at that moment. The kinds add up to the kernel's own
/// counters: fast is TcpExtTCPFastRetrans, loss and path_mtu are TCPSlowStartRetrans, syn and syn_ack TCPSynRetrans.
[[nodiscard]] RetransmissionKind classify(const sonde_retransmission_event& event);

/// How long a jiffy is on this kernel (CONFIG_HZ), by the count of them at a CLOCK_MONOTONIC time. The count starts
/// five minutes before it exceeds 32 bits (INITIAL_JIFFIES), so another length would be off by thousands. 0: it cannot
/// be told, as around that moment all lengths give the same count.
[[nodiscard]] std::uint32_t jiffies_per_second(std::uint64_t jiffies, std::uint64_t monotonic_ns);

}  // namespace sonde::retransmissions
