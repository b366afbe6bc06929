// SPDX-License-Identifier: Apache-2.0
#include "detect/scan/probe.hpp"

#include <netinet/in.h>

#include "detect/address.hpp"
#include "detect/ports.hpp"

namespace sonde::detect {

namespace {

constexpr std::uint8_t fin = 1, syn = 2, rst = 4, psh = 8, ack = 16, urg = 32;
constexpr std::uint8_t all_flags = fin | syn | rst | psh | ack | urg;

/// A server that says something to a client's port: what is left of a connection that was opened before we looked, or
/// an answer that comes late. 32768 is where Linux's ephemeral ports begin.
bool from_service_to_client(const FlowSight& flow) {
  const auto from = flow.endpoints[0].port, to = flow.endpoints[1].port;
  if (from < 1024) return to >= 1024;
  return from < 32768 && to >= 32768 && flow.protocol == IPPROTO_TCP;
}

Probe handshake_probe(const FlowSight& flow) {
  const auto ours = flow.tcp_flags[0], theirs = flow.tcp_flags[1];
  Probe probe{.method = ScanMethod::tcp, .port = flow.endpoints[1].port};
  if (theirs & syn) {
    probe.answer = (ours | theirs) & psh ? Answer::used : Answer::open;
    probe.half_open = (ours & rst) && !(ours & ack);
    probe.completed = ours & ack;
  } else if ((theirs & rst) || flow.unreachable) {
    probe.answer = Answer::refused;
  } else if (theirs != 0 || (ours & ack)) {
    probe.answer = Answer::used;  // the answer went by another way, or we came late
  }
  return probe;
}

std::optional<ScanMethod> method_of_flags(std::uint8_t flags) {
  if (flags & (rst | syn)) return std::nullopt;
  if (flags == 0) return ScanMethod::null;
  if (flags == fin) return ScanMethod::fin;
  if (flags == (fin | psh | urg)) return ScanMethod::xmas;
  if (flags == ack) return ScanMethod::ack;
  if (flags == (fin | ack)) return ScanMethod::maimon;
  return flags & ack ? std::nullopt : std::optional(ScanMethod::flags);
}

std::optional<Probe> tcp_probe(const FlowSight& flow) {
  if (is_fragment_of_tcp(flow)) return std::nullopt;
  if (flow.start_seen || (flow.tcp_flags[0] & syn)) return handshake_probe(flow);
  const auto method = method_of_flags(flow.tcp_flags[0] & all_flags);
  if (!method || flow.total[0].packets > 4) return std::nullopt;
  // Probes of connections that are not there are answered by RST (RFC 9293 3.10.7.1) or by nobody.
  if (flow.total[1].packets > 0 && !(flow.tcp_flags[1] & rst)) return std::nullopt;
  if (flow.tcp_flags[1] & ack && (*method == ScanMethod::ack || *method == ScanMethod::maimon)) return std::nullopt;
  if ((*method == ScanMethod::ack || *method == ScanMethod::maimon) && from_service_to_client(flow))
    return std::nullopt;
  const bool refused = flow.tcp_flags[1] & rst || flow.unreachable;
  return Probe{.method = *method, .answer = refused ? Answer::refused : Answer::none, .port = flow.endpoints[1].port};
}

std::optional<Probe> udp_probe(const FlowSight& flow) {
  const auto port = flow.endpoints[1].port;
  if (port == 0 || from_service_to_client(flow) || is_reflector_port(flow.endpoints[0].port)) return std::nullopt;
  // traceroute and mtr count up from here, a port for each packet.
  if (port >= 33434 && port < 33690 && flow.total[1].packets == 0) return std::nullopt;
  Probe probe{.method = ScanMethod::udp, .port = port};
  if (flow.total[1].packets > 0)
    probe.answer = Answer::used;
  else if (flow.total[0].packets > 3)
    probe.answer = Answer::pressed;
  else if (flow.unreachable)
    probe.answer = Answer::refused;
  return probe;
}

std::optional<Probe> sctp_probe(const FlowSight& flow) {
  // INIT, answered by INIT-ACK or ABORT: an association has more packets. RFC 9260 5.1, 8.4.
  const auto sent = flow.total[0].packets, answered = flow.total[1].packets;
  Probe probe{.method = ScanMethod::sctp, .port = flow.endpoints[1].port};
  if (answered > 1 && sent > 1)
    probe.answer = Answer::used;
  else if (answered > 0 || flow.unreachable)
    probe.answer = Answer::refused;
  return probe;
}

}  // namespace

bool is_fragment_of_tcp(const FlowSight& flow) {
  return flow.protocol == IPPROTO_TCP && flow.endpoints[0].port == 0 && flow.endpoints[1].port == 0;
}

std::optional<Probe> probe_of(const FlowSight& flow) {
  if (!is_one_host(flow.endpoints[0].address) || !is_one_host(flow.endpoints[1].address)) return std::nullopt;
  switch (flow.protocol) {
    case IPPROTO_TCP: return tcp_probe(flow);
    case IPPROTO_UDP: return udp_probe(flow);
    case IPPROTO_SCTP: return sctp_probe(flow);
    // A flow of ICMP does not tell a request from an error that somebody was sent.
    case IPPROTO_ICMP:
    case IPPROTO_ICMPV6: return std::nullopt;
    default: break;
  }
  Probe probe{.method = ScanMethod::protocol, .port = flow.protocol};
  if (flow.total[1].packets > 0)
    probe.answer = Answer::used;
  else if (flow.unreachable)
    probe.answer = Answer::refused;
  return probe;
}

}  // namespace sonde::detect
