// SPDX-License-Identifier: Apache-2.0
#include "decode/decode.hpp"

#include <netinet/in.h>

#include "decode/payload.hpp"

namespace sonde::decode {
namespace {

struct DnsPort {
  std::uint16_t port;
  const char* protocol;
};

constexpr DnsPort dns_ports[] = {{53, "DNS"}, {5353, "mDNS"}, {5355, "LLMNR"}};

const char* dns_protocol(const sonde_packet_event& event) {
  for (const DnsPort& entry : dns_ports) {
    if (event.source_port == entry.port || event.destination_port == entry.port) return entry.protocol;
  }
  return nullptr;
}

std::optional<Decoded> decode_tcp(Bytes payload) {
  if (auto http = decode_http(payload)) return *http;
  if (auto tls = decode_tls(payload)) return std::move(*tls);
  return std::nullopt;
}

std::string text_of(const HttpMessage& message) { return to_text(message); }
std::string text_of(const DecodedDns& dns) { return to_text(dns.message, dns.protocol); }
std::string text_of(const TlsHandshake& handshake) { return to_text(handshake); }

}  // namespace

std::optional<Decoded> decode(const Packet& packet) {
  const sonde_packet_event& event = *packet.event;
  const bool tcp = event.protocol == IPPROTO_TCP;
  if (!tcp && event.protocol != IPPROTO_UDP) return std::nullopt;
  const Bytes payload = transport_payload(packet);
  if (payload.empty()) return std::nullopt;
  const char* protocol = dns_protocol(event);
  if (protocol != nullptr) {
    auto message = decode_dns(payload, tcp ? DnsTransport::tcp : DnsTransport::udp);
    if (message) return DecodedDns{std::move(*message), protocol};
    return std::nullopt;
  }
  return tcp ? decode_tcp(payload) : std::nullopt;
}

std::string to_text(const Decoded& decoded) {
  return std::visit([](const auto& message) { return text_of(message); }, decoded);
}

}  // namespace sonde::decode
