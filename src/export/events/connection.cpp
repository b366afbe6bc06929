// SPDX-License-Identifier: Apache-2.0
#include "export/events/connection.hpp"

#include <fmt/format.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "export/clock.hpp"
#include "export/events/connection_text.hpp"
#include "export/events/owner.hpp"
#include "export/text/palette.hpp"

namespace sonde::exporter {
namespace {

bool is_alert(const Connection& connection) {
  return connection.event == ConnectionEvent::failed || connection.end == ConnectionEnd::local_reset ||
         connection.end == ConnectionEnd::remote_reset || connection.end == ConnectionEnd::timeout;
}

std::string how_it_ended(const Connection& connection, const Palette& palette) {
  std::string text = end_text(connection.end);
  if (connection.error != 0) text += fmt::format(" ({})", error_text(connection.error));
  if (!is_alert(connection)) return text;
  return fmt::format("{}{}{}", palette.alert, text, palette.plain);
}

// What belongs to the event, in front of the owner.
std::vector<std::string> facts_of(const Connection& connection, const Palette& palette) {
  std::vector<std::string> facts;
  if (connection.end != ConnectionEnd::none) facts.push_back(how_it_ended(connection, palette));
  if (connection.event == ConnectionEvent::opened) {
    if (connection.connect_latency) facts.push_back("connected in " + time_span_text(*connection.connect_latency));
  } else if (connection.duration) {
    facts.push_back(time_span_text(*connection.duration));
  }
  if (connection.event == ConnectionEvent::closed || connection.event == ConnectionEvent::open) {
    facts.push_back(fmt::format("sent {} B", connection.bytes_sent));
    facts.push_back(fmt::format("received {} B", connection.bytes_received));
  }
  if (connection.retransmissions != 0) facts.push_back(fmt::format("retransmitted {}", connection.retransmissions));
  if (connection.smoothed_rtt_us != 0) facts.push_back("rtt " + rtt_text(connection.smoothed_rtt_us));
  return facts;
}

std::string_view arrow_colour(ConnectionDirection direction, const Palette& palette) {
  if (direction == ConnectionDirection::unknown) return {};
  return palette.direction[direction == ConnectionDirection::outbound ? 1 : 0];
}

void add_times(nlohmann::ordered_json& object, const Connection& connection) {
  if (connection.connect_latency) object["connect_latency_ns"] = connection.connect_latency->count();
  if (connection.duration) object["duration_ns"] = connection.duration->count();
}

// UDP and listening sockets have none.
void add_counters(nlohmann::ordered_json& object, const Connection& connection) {
  if (!has_counters(connection)) return;
  object["bytes_sent"] = connection.bytes_sent;
  object["bytes_received"] = connection.bytes_received;
  object["segments_sent"] = connection.segments_sent;
  object["segments_received"] = connection.segments_received;
  object["retransmissions"] = connection.retransmissions;
  if (connection.smoothed_rtt_us != 0) object["smoothed_rtt_us"] = connection.smoothed_rtt_us;
}

}  // namespace

std::string connection_line(const Connection& connection, bool color) {
  static thread_local TimeText time("%H:%M:%S", TimeText::Zone::local);
  const Palette& palette = color ? colours : no_colours;
  const auto& socket = connection.socket;
  const auto arrow = arrow_colour(connection.direction, palette);
  auto line = fmt::format("{} {} {} {}{}{} {} ", time.text(connection.wall_ns), connection_event_name(connection.event),
                          socket.local.text(), arrow, direction_arrow(connection.direction),
                          arrow.empty() ? "" : palette.plain, socket.remote.text());
  for (const auto& fact : facts_of(connection, palette)) line.append(fact).append(", ");
  return line + owner_text(connection.owner);
}

std::string connection_json(const Connection& connection) {
  static thread_local TimeText time("%Y-%m-%dT%H:%M:%S", TimeText::Zone::utc);
  nlohmann::ordered_json object;
  object["type"] = "connection";
  object["time"] = time.text(connection.wall_ns) + "Z";
  object["event"] = connection_event_name(connection.event);
  object["direction"] = connection_direction_name(connection.direction);
  if (connection.end != ConnectionEnd::none) object["end"] = connection_end_name(connection.end);
  if (connection.error != 0) object["error"] = error_text(connection.error);
  add_socket(object, connection.socket);
  add_times(object, connection);
  add_counters(object, connection);
  add_owner(object, connection.owner);
  return object.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace sonde::exporter
