// SPDX-License-Identifier: Apache-2.0
#include "sensors/connections/decode.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <cstring>

#include "model/socket.hpp"
#include "sensors/connections/classify.hpp"

namespace sonde::connections {
namespace {

using std::chrono::nanoseconds;

static_assert(std::has_unique_object_representations_v<sonde_connection_event>);
static_assert(std::has_unique_object_representations_v<sonde_open_socket>);
static_assert(static_cast<int>(ConnectionEvent::closed) == SONDE_CONNECTION_CLOSED);
static_assert(static_cast<int>(ConnectionDirection::inbound) == SONDE_CONNECTION_INBOUND);

void set_counters(Connection& connection, const sonde_tcp_counters& counters, std::uint8_t flags) {
  connection.bytes_sent = payload_sent(counters, flags, connection.direction);
  connection.bytes_received = payload_received(counters, flags);
  connection.segments_sent = counters.segments_sent;
  connection.segments_received = counters.segments_received;
  connection.retransmissions = counters.retransmissions;
  connection.smoothed_rtt_us = counters.smoothed_rtt_us;
}

ConnectionEnd end_of(const sonde_connection_event& event) {
  if (event.kind == SONDE_CONNECTION_OPENED) return ConnectionEnd::none;
  return event.kind == SONDE_CONNECTION_FAILED ? classify_failure(event) : classify_close(event);
}

std::optional<nanoseconds> between(std::uint64_t from, std::uint64_t to) {
  if (from == 0 || to < from) return std::nullopt;
  return nanoseconds(static_cast<std::int64_t>(to - from));
}

// Under TCP_REPAIR a connection is established by decree, and the times say nothing about the peer.
void set_times(Connection& connection, const sonde_connection_event& event) {
  if ((event.flags & SONDE_CONNECTION_REPAIR) != 0) return;
  if (event.established_ns != 0) connection.connect_latency = between(event.syn_ns, event.established_ns);
  if (event.kind == SONDE_CONNECTION_CLOSED) connection.duration = between(event.established_ns, event.header.ts_ns);
  if (event.kind == SONDE_CONNECTION_FAILED) connection.duration = between(event.syn_ns, event.header.ts_ns);
}

bool is_known(const sonde_connection_event& event) {
  return event.kind <= SONDE_CONNECTION_CLOSED && event.direction <= SONDE_CONNECTION_INBOUND;
}

bool has_counters(const sonde_open_socket& open) {
  return open.kind == SONDE_OPEN_FULL && open.socket.protocol == IPPROTO_TCP && open.socket.state != TCP_LISTEN;
}

}  // namespace

std::optional<sonde_connection_event> read_record(std::span<const std::uint8_t> record) {
  sonde_connection_event event;
  if (record.size() < sizeof(event)) return std::nullopt;
  std::memcpy(&event, record.data(), sizeof(event));
  if (event.header.type != SONDE_EVENT_CONNECTION || !is_known(event)) return std::nullopt;
  return event;
}

Connection connection_from(const sonde_connection_event& event, const WallClock& clock) {
  Connection connection;
  connection.wall_ns = clock.wall_ns(event.header.ts_ns);
  connection.event = static_cast<ConnectionEvent>(event.kind);
  connection.direction = static_cast<ConnectionDirection>(event.direction);
  if (connection.direction == ConnectionDirection::unknown && event.kind == SONDE_CONNECTION_CLOSED)
    connection.direction = infer_direction(event.counters, event.flags);
  connection.end = end_of(event);
  connection.error = event.error;
  connection.socket = model::socket_of(event.socket);
  set_counters(connection, event.counters, event.flags);
  set_times(connection, event);
  return connection;
}

Connection connection_from(const sonde_open_socket& open, std::int64_t wall_ns) {
  Connection connection;
  connection.wall_ns = wall_ns;
  connection.event = ConnectionEvent::open;
  connection.socket = model::socket_of(open.socket);
  if (open.kind == SONDE_OPEN_REQUEST) connection.direction = ConnectionDirection::inbound;
  if (!has_counters(open)) return connection;
  connection.direction =
      open.socket.state == TCP_SYN_SENT ? ConnectionDirection::outbound : infer_direction(open.counters, open.flags);
  set_counters(connection, open.counters, open.flags);
  return connection;
}

}  // namespace sonde::connections
