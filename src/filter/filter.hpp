// SPDX-License-Identifier: Apache-2.0
// One filter for kernel and user space: words -> field tests (sonde_filter) and classic BPF (libpcap).
#pragma once
#include <linux/filter.h>
#include <sonde/abi/filter.h>
#include <sonde/abi/packet.h>

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "sonde/filter.hpp"
#include "sonde/result.hpp"

namespace sonde::filter {

struct CompiledFilter {
  std::shared_ptr<const sonde_filter> fields;  ///< never null; all tests off: everything matches
  bool has_expression = false;
  std::vector<sock_filter> ethernet;  ///< the expression for Ethernet frames (DLT_EN10MB); empty: none
  std::vector<sock_filter> raw_ip;    ///< for bare IP (DLT_RAW); has_expression and empty: it cannot match there
};

/// False: the fields match every packet.
[[nodiscard]] bool has_field_tests(const sonde_filter& fields);

/// Compiles the words. ErrorKind::usage names the option, the word and what was expected.
/// Thread-safe (pcap_compile is not; it is called under a lock). Host names in the expression are looked up here, once,
/// as tcpdump does it: that asks DNS and can block.
/// IPv4 and IPv6 networks match packets of their family only: 0.0.0.0/0 is all IPv4, ::/0 all IPv6. ::ffff:10.0.0.1
/// means 10.0.0.1.
[[nodiscard]] Result<CompiledFilter> compile(const FilterOptions& options);

/// The user-space half: the same verdict as the kernel's for a parsed packet and its captured bytes. Where the packet
/// was cut short (snapshot length), the expression rejects what it cannot read, as tcpdump does with files.
[[nodiscard]] bool matches(const CompiledFilter& filter, const sonde_packet_event& event,
                           std::span<const std::uint8_t> bytes);

}  // namespace sonde::filter
