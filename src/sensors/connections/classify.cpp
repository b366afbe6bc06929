// SPDX-License-Identifier: Apache-2.0
#include "sensors/connections/classify.hpp"

#include <netinet/tcp.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace sonde::connections {
namespace {

struct ErrorClass {
  int error;
  ConnectionEnd end;
};

// Of a connection attempt. ICMP reaches TCP as these errors (icmp_err_convert, icmpv6_err_convert in the kernel); port
// unreachable is ECONNREFUSED, which without a RST was the work of ICMP.
constexpr std::array<ErrorClass, 16> failure_classes{{
    {0, ConnectionEnd::aborted},  // closed or given up by the process, or no local port was free
    {ECONNABORTED, ConnectionEnd::aborted},
    {ECONNRESET, ConnectionEnd::aborted},
    {EADDRNOTAVAIL, ConnectionEnd::aborted},
    {ETIMEDOUT, ConnectionEnd::connect_timeout},
    {ECONNREFUSED, ConnectionEnd::unreachable},
    {EHOSTUNREACH, ConnectionEnd::unreachable},
    {ENETUNREACH, ConnectionEnd::unreachable},
    {EHOSTDOWN, ConnectionEnd::unreachable},
    {ENONET, ConnectionEnd::unreachable},
    {ENETDOWN, ConnectionEnd::unreachable},
    {ENOPROTOOPT, ConnectionEnd::unreachable},
    {EOPNOTSUPP, ConnectionEnd::unreachable},
    {EACCES, ConnectionEnd::unreachable},
    {EPROTO, ConnectionEnd::unreachable},
    {EMSGSIZE, ConnectionEnd::unreachable},
}};

// With these the kernel gave up on a peer that did not answer; an error that ICMP had reported before takes the place
// of ETIMEDOUT (tcp_write_err).
constexpr std::array given_up{ETIMEDOUT, EHOSTUNREACH, ENETUNREACH, EHOSTDOWN, ENONET};
constexpr std::array reset_errors{ECONNRESET, EPIPE, ECONNREFUSED};

template <class List>
bool contains(const List& list, int error) {
  return std::ranges::find(list, error) != list.end();
}

bool closed_first_by_us(std::uint8_t state) { return state == TCP_FIN_WAIT2 || state == TCP_CLOSING; }

// Both FINs, or ours alone where the peer's will be answered by a TIME_WAIT socket.
bool is_orderly(const sonde_connection_event& event) {
  const auto state = event.socket.state;
  if ((event.flags & (SONDE_CONNECTION_RESET_SENT | SONDE_CONNECTION_DATA_AFTER_CLOSE)) != 0) return false;
  return (closed_first_by_us(state) || state == TCP_LAST_ACK) && (event.flags & SONDE_CONNECTION_FIN_ACKED) != 0;
}

// States that nothing but a RST of ours ends when there is no error.
bool needs_reset(std::uint8_t state) {
  return state == TCP_ESTABLISHED || state == TCP_SYN_RECV || state == TCP_CLOSE_WAIT || state == TCP_FIN_WAIT1;
}

}  // namespace

ConnectionEnd classify_failure(const sonde_connection_event& event) {
  if ((event.flags & SONDE_CONNECTION_RESET_RECEIVED) != 0) return ConnectionEnd::refused;
  const auto* const found = std::ranges::find(failure_classes, event.error, &ErrorClass::error);
  return found == failure_classes.end() ? ConnectionEnd::unknown : found->end;
}

ConnectionEnd classify_close(const sonde_connection_event& event) {
  const auto has = [&](sonde_connection_flags flag) { return (event.flags & flag) != 0; };
  if (has(SONDE_CONNECTION_REPAIR)) return ConnectionEnd::unknown;
  if (has(SONDE_CONNECTION_DATA_AFTER_CLOSE)) return ConnectionEnd::local_reset;
  if (has(SONDE_CONNECTION_RESET_RECEIVED)) return ConnectionEnd::remote_reset;
  if (is_orderly(event))
    return closed_first_by_us(event.socket.state) ? ConnectionEnd::local_fin : ConnectionEnd::remote_fin;
  if (contains(given_up, event.error)) return ConnectionEnd::timeout;
  if (contains(reset_errors, event.error)) return ConnectionEnd::remote_reset;
  if (has(SONDE_CONNECTION_RESET_SENT) || needs_reset(event.socket.state)) return ConnectionEnd::local_reset;
  return ConnectionEnd::unknown;
}

ConnectionDirection infer_direction(const sonde_tcp_counters& counters, std::uint8_t flags) {
  const std::uint64_t fin = (flags & SONDE_CONNECTION_FIN_ACKED) != 0 ? 1 : 0;
  const std::uint64_t once = counters.bytes_sent - counters.bytes_retransmitted;
  const auto excess = static_cast<std::int64_t>(counters.bytes_acked + counters.in_flight - fin - once);
  if (excess == 1) return ConnectionDirection::outbound;
  return excess == 0 ? ConnectionDirection::inbound : ConnectionDirection::unknown;
}

std::uint64_t payload_sent(const sonde_tcp_counters& counters, std::uint8_t flags, ConnectionDirection direction) {
  const std::uint64_t syn = direction == ConnectionDirection::outbound ? 1 : 0;
  const std::uint64_t fin = (flags & SONDE_CONNECTION_FIN_ACKED) != 0 ? 1 : 0;
  return counters.bytes_acked - std::min<std::uint64_t>(counters.bytes_acked, syn + fin);
}

std::uint64_t payload_received(const sonde_tcp_counters& counters, std::uint8_t flags) {
  const std::uint64_t fin = (flags & SONDE_CONNECTION_FIN_RECEIVED) != 0 ? 1 : 0;
  return counters.bytes_received - std::min<std::uint64_t>(counters.bytes_received, fin);
}

}  // namespace sonde::connections
