// SPDX-License-Identifier: Apache-2.0
// Packets and, written by hand from the RFCs, what their headers say.
#pragma once
#include <string>
#include <vector>

#include "harness/packet_builder.hpp"
#include "sonde/packet.hpp"

namespace sonde::test {

struct Sample {
  std::string name;
  Bytes frame;                  ///< Ethernet
  sonde_packet_event expected;  ///< members that headers determine; the others are zero
};

/// Link and network layer: tags, other EtherTypes, IPv4 and IPv6 headers, options, extension headers, fragments.
std::vector<Sample> network_samples();
/// TCP, UDP, ICMP, ICMPv6, SCTP and others, over both families.
std::vector<Sample> transport_samples();
std::vector<Sample> all_samples();

/// The sample without its link header as an interface with bare IP carries it; only for untagged IP samples.
bool is_untagged_ip(const Sample& sample);
Sample without_link_header(const Sample& sample);

/// An expected event of the addresses that the builder uses, with the transport header at `payload`.
sonde_packet_event ipv4_event(const Bytes& frame, std::uint8_t protocol, std::uint16_t payload, std::uint32_t rest);
sonde_packet_event ipv6_event(const Bytes& frame, std::uint8_t protocol, std::uint16_t payload, std::uint32_t rest);

}  // namespace sonde::test
