// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <random>
#include <string>

namespace sonde::test {

/// A well-formed Ethernet frame of random make: no, one or two 802.1Q tags, IPv4 with options or IPv6 with extension
/// headers, whole or a fragment, TCP with options, UDP, ICMP, ICMPv6, SCTP or another protocol, and payload.
std::string random_packet(std::mt19937& random);

}  // namespace sonde::test
