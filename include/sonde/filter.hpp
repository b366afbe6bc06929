// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sonde {

/// Which packets are wanted, in the words of the command line. Everything that is set must hold (AND).
///
/// The field tests look at the parsed packet, so they see through VLAN tags and IPv6 extension headers; the expression
/// looks at the bytes, with the meaning that pcap-filter(7) gives it. A later fragment carries no ports and fails every
/// port test.
struct FilterOptions {
  std::string protocol = "all";                   ///< tcp, udp, icmp, icmp6, sctp, a number 0 to 255, or all
  std::vector<std::string> source_networks = {};  ///< addresses or CIDRs, IPv4 or IPv6; one of them must match
  std::vector<std::string> destination_networks;  ///< likewise
  std::vector<std::string> networks;              ///< source or destination in one of them
  std::vector<std::string> source_ports;          ///< "443", "8000-8080", "80,443,8000-8080"; one of them must match
  std::vector<std::string> destination_ports;     ///< likewise
  std::vector<std::string> ports;                 ///< source or destination port
  std::string direction = "both";                 ///< in, out, both
  std::optional<std::uint32_t> min_size;          ///< bytes of the whole packet, inclusive
  std::optional<std::uint32_t> max_size;          ///< likewise
  std::string expression;                         ///< pcap-filter(7); empty: every packet
};

}  // namespace sonde
