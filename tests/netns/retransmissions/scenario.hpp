// SPDX-License-Identifier: Apache-2.0
// What the tests have in common: who receives, what is lost, what the kernel's counters must say.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "watch.hpp"

namespace sonde::test {

using Kind = RetransmissionKind;

/// Takes everything on port 5001.
std::unique_ptr<Process> start_receiver(const NetworkNamespace& where, const std::string& address = "10.9.0.2");

/// nft(8) match: every n-th packet with data.
std::string every(int n, const std::string& more_than = "200");

/// Segments for which the kernel ran no program, so that their kind is not known: it says that they were sent with the
/// socket's next event. A kernel that spares some process (init of a virtual machine) does not trace the interrupts
/// that it is interrupted by, and counts them nowhere.
std::uint64_t unreported(const std::vector<Retransmission>& events);

/// As many segments of these kinds as the kernel counted, but for what unreported() explains.
void expect_kind(const std::vector<Retransmission>& events, const std::vector<Kind>& kinds, std::uint64_t counted);

/// The sum of segments is TcpRetransSegs, and the kinds add up to the kernel's counters of their own. Hardly one of
/// them is unreported.
void expect_kernel_counts(const std::vector<Retransmission>& events, const TcpCounters& kernel);

/// Each event's owner is the process that used this local port.
void expect_senders(const std::vector<Retransmission>& events, const std::map<std::uint16_t, std::uint32_t>& senders);

/// Those of one kind.
std::vector<Retransmission> only(const std::vector<Retransmission>& events, Kind kind);

}  // namespace sonde::test
