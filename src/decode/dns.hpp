// SPDX-License-Identifier: Apache-2.0
// DNS messages (RFC 1035), also those of mDNS (RFC 6762) and LLMNR (RFC 4795), over UDP and TCP.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "decode/bytes.hpp"

namespace sonde::decode {

struct DnsQuestion {
  std::string name;  ///< without the final dot, "." for the root; escaped as dig does
  std::uint16_t type = 0;
  std::uint16_t class_code = 0;  ///< as sent: mDNS keeps a flag in the top bit
};

struct DnsRecord {
  std::string name;  ///< as in DnsQuestion
  std::uint16_t type = 0;
  std::uint16_t class_code = 0;  ///< as in DnsQuestion
  std::uint32_t ttl = 0;         ///< seconds
  std::string data;              ///< presentation format as dig writes it, names without the final dot
};

struct DnsMessage {
  static constexpr std::size_t max_listed = 64;  ///< questions and answers that are listed; the counts tell the rest

  std::uint16_t id = 0;
  bool response = false;
  std::uint8_t opcode = 0;
  bool truncated = false;            ///< TC: the server shortened the answer
  std::uint8_t rcode = 0;            ///< the four bits of the header
  std::uint16_t question_count = 0;  ///< as the header says
  std::uint16_t answer_count = 0;    ///< as the header says
  std::vector<DnsQuestion> questions;
  std::vector<DnsRecord> answers;
  bool cut = false;  ///< the message goes on beyond the payload, or contradicts itself: the lists end before that
};

enum class DnsTransport { udp, tcp };

/// The message that begins at the payload's first byte (TCP: at its length prefix); nothing if none can.
[[nodiscard]] std::optional<DnsMessage> decode_dns(Bytes payload, DnsTransport transport);

/// "A", "HTTPS"; "TYPE65280" for a type without a name (RFC 3597 5).
[[nodiscard]] std::string dns_type_name(std::uint16_t type);
/// "NOERROR", "NXDOMAIN"; "RCODE12" for one without a name.
[[nodiscard]] std::string dns_rcode_name(std::uint8_t rcode);
/// "QUERY", "UPDATE"; "OPCODE9" for one without a name.
[[nodiscard]] std::string dns_opcode_name(std::uint8_t opcode);

/// `protocol` is "DNS", "mDNS" or "LLMNR":
/// "DNS A? example.com", "DNS A? example.com: CNAME a.example, A 192.0.2.1", "DNS A? nope.example: NXDOMAIN".
[[nodiscard]] std::string to_text(const DnsMessage& message, const char* protocol);

}  // namespace sonde::decode
