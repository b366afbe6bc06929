// SPDX-License-Identifier: Apache-2.0
#include "flows/flow_name.hpp"

#include <netinet/in.h>

#include "decode/dns.hpp"
#include "decode/payload.hpp"
#include "decode/tls.hpp"

namespace sonde::flows {
namespace {

constexpr std::uint16_t dns_port = 53;
constexpr std::uint8_t client_hello = 1;

std::optional<FlowName> read_dns(decode::Bytes payload, decode::DnsTransport transport) {
  const auto message = decode::decode_dns(payload, transport);
  if (!message || message->questions.empty()) return std::nullopt;
  return FlowName{message->questions.front().name, {}, FlowNameSource::dns};
}

std::optional<FlowName> read_tls(decode::Bytes payload) {
  auto hello = decode::decode_tls(payload);
  if (!hello || hello->kind != client_hello) return std::nullopt;
  FlowName name{std::move(hello->server_name), {}, FlowNameSource::tls};
  for (const auto& protocol : hello->alpn) name.alpn += (name.alpn.empty() ? "" : ",") + protocol;
  if (name.name.empty() && name.alpn.empty()) return std::nullopt;
  return name;
}

}  // namespace

std::optional<FlowName> read_flow_name(const Packet& packet) {
  const auto& event = *packet.event;
  const bool tcp = event.protocol == IPPROTO_TCP;
  if (!tcp && event.protocol != IPPROTO_UDP) return std::nullopt;
  const auto payload = decode::transport_payload(packet);
  if (payload.empty()) return std::nullopt;
  const bool dns = event.source_port == dns_port || event.destination_port == dns_port;
  if (dns) return read_dns(payload, tcp ? decode::DnsTransport::tcp : decode::DnsTransport::udp);
  return tcp ? read_tls(payload) : std::nullopt;
}

}  // namespace sonde::flows
