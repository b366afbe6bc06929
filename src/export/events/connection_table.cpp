// SPDX-License-Identifier: Apache-2.0
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "export/events/connection.hpp"
#include "export/events/connection_text.hpp"
#include "export/events/owner.hpp"

namespace sonde::exporter {
namespace {

enum Column : std::uint8_t { name_space, protocol, state, local, arrow, remote, sent, received, rtt, owner, columns };

using Row = std::array<std::string, columns>;

const Row headings{"NETNS", "PROTO", "STATE", "LOCAL", "", "REMOTE", "SENT", "RECEIVED", "RTT", "OWNER"};

bool is_figure(std::size_t column) { return column == sent || column == received || column == rtt; }

// A UDP socket is connected or not; the kernel uses TCP's numbers for that.
std::string state_text(const Socket& socket) {
  if (socket.protocol == IPPROTO_UDP) return socket.state == TCP_ESTABLISHED ? "CONNECTED" : "UNCONNECTED";
  return tcp_state_name(socket.state);
}

Row row_of(const Connection& connection) {
  const auto& socket = connection.socket;
  const bool connected = socket.remote.port != 0;
  const bool counted = has_counters(connection);
  return {std::to_string(socket.network_namespace),
          socket.protocol == IPPROTO_UDP ? "udp" : "tcp",
          state_text(socket),
          socket.local.text(),
          connected && socket.protocol == IPPROTO_TCP ? direction_arrow(connection.direction) : "",
          connected ? socket.remote.text() : "*",
          counted ? bytes_text(connection.bytes_sent) : "-",
          counted ? bytes_text(connection.bytes_received) : "-",
          connection.smoothed_rtt_us != 0 ? rtt_text(connection.smoothed_rtt_us) : "-",
          owner_text(connection.owner)};
}

std::array<std::size_t, columns> widths_of(const std::vector<Row>& rows) {
  std::array<std::size_t, columns> widths{};
  for (const auto& row : rows)
    for (std::size_t column = 0; column < columns; ++column)
      widths[column] = std::max(widths[column], row[column].size());
  return widths;
}

void append_row(std::string& out, const Row& row, const std::array<std::size_t, columns>& widths, std::size_t first) {
  for (std::size_t column = first; column < owner; ++column) {
    const std::string padding(widths[column] - row[column].size(), ' ');
    out.append(is_figure(column) ? padding + row[column] : row[column] + padding).append("  ");
  }
  out.append(row[owner]).append("\n");
}

bool several_namespaces(std::span<const Connection> connections) {
  return std::ranges::any_of(connections, [&](const Connection& connection) {
    return connection.socket.network_namespace != connections.front().socket.network_namespace;
  });
}

}  // namespace

std::string connection_table(std::span<const Connection> connections) {
  std::vector<Row> rows{headings};
  for (const auto& connection : connections) rows.push_back(row_of(connection));
  const auto widths = widths_of(rows);
  const std::size_t first = several_namespaces(connections) ? name_space : protocol;
  std::string table;
  for (const auto& row : rows) append_row(table, row, widths, first);
  return table;
}

}  // namespace sonde::exporter
