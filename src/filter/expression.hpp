// SPDX-License-Identifier: Apache-2.0
// pcap-filter(7) expression -> classic BPF, by libpcap.
#pragma once
#include <linux/filter.h>

#include <string>
#include <vector>

#include "sonde/packet.hpp"
#include "sonde/result.hpp"

namespace sonde::filter {

/// ErrorKind::usage with libpcap's words and the expression. Host, network, port and protocol names are looked up as
/// tcpdump does it, so a host name in the expression asks DNS and can block for as long as that takes.
[[nodiscard]] Result<std::vector<sock_filter>> compile_expression(const std::string& expression, LinkType link);

}  // namespace sonde::filter
