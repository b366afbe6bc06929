// SPDX-License-Identifier: Apache-2.0
// What the kernel itself counts as lost: softnet, TCP's listen queues, queueing disciplines, interfaces and drivers.
#pragma once
#include <linux/netlink.h>

#include <functional>
#include <string>
#include <string_view>

#include "model/host_counters.hpp"

namespace sonde::drops {

/// All of them now: softnet of the host, the others of this network namespace. What cannot be read is left out.
[[nodiscard]] HostCounters read_host_counters();

/// Reads now; the function gives what has grown since.
[[nodiscard]] std::function<HostCounters()> watch_host_counters();

/// Pure: the lines of /proc/net/softnet_stat (net/core/net-procfs.c).
[[nodiscard]] HostCounters parse_softnet(std::string_view text);
/// Pure: of the pairs of lines of /proc/net/netstat, the drops that TCP does not tell otherwise: a SYN that meets a
/// full queue is consumed, not freed in error.
[[nodiscard]] HostCounters parse_netstat(std::string_view text);
/// Pure: an answer to RTM_GETQDISC. Nothing for a message that has no statistics.
[[nodiscard]] HostCounters parse_qdisc(const nlmsghdr& message, const std::string& interface);
/// Pure: an answer to RTM_GETLINK.
[[nodiscard]] HostCounters parse_link(const nlmsghdr& message);

}  // namespace sonde::drops
