// SPDX-License-Identifier: Apache-2.0
// Random pcap-filter(7) expressions and random valid classic BPF programs.
#pragma once
#include <linux/filter.h>

#include <string>
#include <vector>

#include "filter_packets.hpp"

namespace sonde::test {

/// Primitives joined by and, or, not up to `depth` deep. libpcap refuses some of them (types that contradict).
[[nodiscard]] std::string random_expression(Random& random, int depth);

/// A program that the kernel would take as a socket filter: every instruction, forward jumps, any order. M[] is written
/// before it is read, because libpcap's interpreter does not clear it.
[[nodiscard]] std::vector<sock_filter> random_program(Random& random, std::size_t length);

}  // namespace sonde::test
