// SPDX-License-Identifier: Apache-2.0
// Which protocol a packet carries, and what it says. Pure functions over the payload; one packet at a time.
#pragma once
#include <optional>
#include <string>
#include <variant>

#include "decode/dns.hpp"
#include "decode/http.hpp"
#include "decode/tls.hpp"
#include "sonde/packet.hpp"

namespace sonde::decode {

struct DecodedDns {
  DnsMessage message;
  const char* protocol;  ///< "DNS", "mDNS", "LLMNR", by port
};

/// Views of an HttpMessage live as long as the packet's bytes.
using Decoded = std::variant<HttpMessage, DecodedDns, TlsHandshake>;

/// HTTP and TLS by content on any TCP port, DNS by port (53, 5353, 5355) on UDP and TCP.
[[nodiscard]] std::optional<Decoded> decode(const Packet& packet);

/// One line without its end, safe for a terminal.
[[nodiscard]] std::string to_text(const Decoded& decoded);

}  // namespace sonde::decode
