// SPDX-License-Identifier: Apache-2.0
// Words for numbers in packets, shared by text and JSON.
#pragma once
#include <cstdint>
#include <string_view>

#include "sonde/packet.hpp"

namespace sonde::exporter {

/// tcpdump's letters: "S", "S.", "P.", "R", with U, E, W; "none" without any.
[[nodiscard]] std::string_view tcp_flag_letters(std::uint8_t flags);

/// "echo request", "destination unreachable"; empty for a type without a name.
[[nodiscard]] std::string_view icmp_type_name(std::uint8_t type);
[[nodiscard]] std::string_view icmp6_type_name(std::uint8_t type);

/// What the code says beyond the type: "port" for an unreachable one; empty when nothing.
[[nodiscard]] std::string_view icmp_code_name(std::uint8_t type, std::uint8_t code);
[[nodiscard]] std::string_view icmp6_code_name(std::uint8_t type, std::uint8_t code);

/// "GRE", "ESP", ...; empty for a protocol without a name here.
[[nodiscard]] std::string_view ip_protocol_name(std::uint8_t protocol);

/// "ok", "truncated_link", ... as JSON has it.
[[nodiscard]] std::string_view status_word(std::uint8_t status);
/// " [truncated: link header]", ... as text has it; empty for SONDE_PARSE_OK.
[[nodiscard]] std::string_view status_remark(std::uint8_t status);

/// "tcp", "udp", "icmp", "icmp6", "sctp", "other_ip", "arp", "other".
[[nodiscard]] std::string_view protocol_class_word(ProtocolClass protocol);

/// The transport header was read: TCP, ICMP members of the event are valid.
[[nodiscard]] inline bool has_transport(const sonde_packet_event& event) {
  constexpr unsigned readable =
      1U << SONDE_PARSE_OK | 1U << SONDE_PARSE_TRUNCATED_PAYLOAD | 1U << SONDE_PARSE_MALFORMED_TRANSPORT;
  if (!(event.flags & (SONDE_PACKET_IPV4 | SONDE_PACKET_IPV6)) || event.flags & SONDE_PACKET_LATER_FRAGMENT)
    return false;
  return event.status < SONDE_PARSE_STATUS_COUNT && (readable >> event.status & 1U) != 0;
}

}  // namespace sonde::exporter
