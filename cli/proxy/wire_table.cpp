// SPDX-License-Identifier: Apache-2.0
#include "proxy/wire_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

namespace sonde::cli {
namespace {

using Json = nlohmann::ordered_json;
using Connection = ProxyWireConnection;

constexpr const char* bold = "\033[1m";
constexpr const char* alert = "\033[1;31m";
constexpr const char* plain = "\033[0m";

// Decimal, as the other tables have them.
std::string bytes_text(std::uint64_t bytes) {
  static constexpr std::array units{"kB", "MB", "GB", "TB", "PB", "EB"};
  if (bytes < 1000) return fmt::format("{} B", bytes);
  auto value = static_cast<double>(bytes) / 1000;
  std::size_t unit = 0;
  for (; value >= 999.95 && unit + 1 < units.size(); ++unit) value /= 1000;
  return fmt::format("{:.1f} {}", value, units[unit]);
}

std::string time_text(std::chrono::nanoseconds time) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(time).count();
  if (seconds < 10) return fmt::format("{:.1f}s", static_cast<double>(time.count() / 100'000'000) / 10);
  if (seconds < 60) return fmt::format("{}s", seconds);
  if (seconds < 3600) return fmt::format("{}m{:02}s", seconds / 60, seconds % 60);
  if (seconds < 86400) return fmt::format("{}h{:02}m", seconds / 3600, seconds / 60 % 60);
  return fmt::format("{}d{:02}h", seconds / 86400, seconds / 3600 % 24);
}

std::string word_or_dash(const std::string& word) { return word.empty() ? "-" : word; }

struct Column {
  const char* heading;
  bool right;
  int left_out;  ///< where there is no room for all: 1 is left out first; 0: never
  std::string (*cell)(const Connection& connection);
};

constexpr Column columns[] = {
    {"CLIENT", false, 0, [](const Connection& one) { return one.client.text(); }},
    {"LISTENER", false, 1, [](const Connection& one) { return one.listener.text(); }},
    {"UPSTREAM", false, 0, [](const Connection& one) { return one.upstream.text(); }},
    {"NAME", false, 7, [](const Connection& one) { return word_or_dash(one.server_name); }},
    {"STATE", false, 6, [](const Connection& one) { return std::string(proxy_wire_state_name(one.state)); }},
    {"AGE", true, 5, [](const Connection& one) { return time_text(one.age); }},
    {"IDLE", true, 3, [](const Connection& one) { return time_text(one.idle); }},
    {"RECEIVED", true, 0, [](const Connection& one) { return bytes_text(one.from_client.bytes); }},
    {"PACKETS", true, 2, [](const Connection& one) { return std::to_string(one.from_client.packets); }},
    {"REPEATED", true, 4, [](const Connection& one) { return std::to_string(one.from_client.repeated); }},
    {"SENT", true, 0, [](const Connection& one) { return bytes_text(one.from_upstream.bytes); }},
    {"PACKETS", true, 2, [](const Connection& one) { return std::to_string(one.from_upstream.packets); }},
    {"REPEATED", true, 4, [](const Connection& one) { return std::to_string(one.from_upstream.repeated); }},
};
constexpr std::size_t width = std::size(columns);
constexpr std::size_t gap = 2;

using Row = std::array<std::string, width>;
using Widths = std::array<std::size_t, width>;  ///< 0: left out

std::size_t length_of(const Widths& widths) {
  std::size_t length = 0;
  for (const auto one : widths)
    if (one > 0) length += one + (length > 0 ? gap : 0);
  return length;
}

// The headings of those that have no room.
std::string leave_out(Widths& widths, std::size_t room) {
  std::string names;
  for (int turn = 1; turn <= 7 && length_of(widths) > room; ++turn) {
    bool first = true;
    for (std::size_t i = 0; i < width; ++i) {
      if (columns[i].left_out != turn) continue;
      widths[i] = 0;
      if (first) names += (names.empty() ? "" : ", ") + std::string(columns[i].heading);
      first = false;
    }
  }
  return names;
}

std::string line_of(const Row& row, const Widths& widths) {
  std::string line;
  for (std::size_t i = 0; i < width; ++i) {
    if (widths[i] == 0) continue;
    if (!line.empty()) line.append(gap, ' ');
    line += columns[i].right ? fmt::format("{:>{}}", row[i], widths[i]) : fmt::format("{:<{}}", row[i], widths[i]);
  }
  return line;
}

std::string styled(bool color, const char* style, const std::string& line) {
  return (color ? style + line + plain : line) + '\n';
}

std::string summary_line(std::span<const Connection> connections) {
  std::array<std::size_t, 5> states{};
  std::uint64_t received = 0, sent = 0;
  for (const auto& connection : connections) {
    ++states.at(static_cast<std::size_t>(connection.state));
    received += connection.from_client.bytes;
    sent += connection.from_upstream.bytes;
  }
  auto text = fmt::format("{} on the wire", connections.size());
  const char* before = ": ";
  for (std::size_t i = 0; i < states.size(); ++i) {
    if (states[i] == 0) continue;
    text += fmt::format("{}{} {}", before, states[i], proxy_wire_state_name(static_cast<ProxyWireState>(i)));
    before = ", ";
  }
  return text + fmt::format("; {} from clients, {} to them", bytes_text(received), bytes_text(sent));
}

std::uint64_t bytes_of(const Connection& one) { return one.from_client.bytes + one.from_upstream.bytes; }
std::uint64_t packets_of(const Connection& one) { return one.from_client.packets + one.from_upstream.packets; }
std::uint64_t repeated_of(const Connection& one) { return one.from_client.repeated + one.from_upstream.repeated; }

struct Order {
  const char* word;
  bool (*before)(const Connection& one, const Connection& other);
};
constexpr Order orders[] = {
    {"bytes", [](const Connection& a, const Connection& b) { return bytes_of(a) > bytes_of(b); }},
    {"packets", [](const Connection& a, const Connection& b) { return packets_of(a) > packets_of(b); }},
    {"repeated", [](const Connection& a, const Connection& b) { return repeated_of(a) > repeated_of(b); }},
    {"age", [](const Connection& a, const Connection& b) { return a.age > b.age; }},
    {"idle", [](const Connection& a, const Connection& b) { return a.idle > b.idle; }},
    {"client", [](const Connection&, const Connection&) { return false; }},
};

Json stream_json(const ProxyWireStream& stream) {
  return {{"bytes", stream.bytes}, {"packets", stream.packets}, {"repeated", stream.repeated}, {"ended", stream.ended}};
}

double seconds_of(std::chrono::nanoseconds time) { return std::chrono::duration<double>(time).count(); }

Json connection_json(const Connection& connection) {
  Json object = {{"type", "wire_connection"},
                 {"id", connection.id},
                 {"state", proxy_wire_state_name(connection.state)},
                 {"client", connection.client.text()},
                 {"listener", connection.listener.text()},
                 {"proxy", connection.proxy.text()},
                 {"upstream", connection.upstream.text()}};
  if (!connection.server_name.empty()) object["server_name"] = connection.server_name;
  if (!connection.route.empty()) object["route"] = connection.route;
  object["age"] = seconds_of(connection.age);
  object["idle"] = seconds_of(connection.idle);
  object["from_client"] = stream_json(connection.from_client);
  object["from_upstream"] = stream_json(connection.from_upstream);
  return object;
}

}  // namespace

Result<void> sort_wire_connections(std::vector<ProxyWireConnection>& connections, const std::string& word) {
  const auto* const order = std::ranges::find(orders, word, &Order::word);
  if (order == std::end(orders)) {
    std::string words;
    for (const auto& one : orders) words += (words.empty() ? "" : ", ") + std::string(one.word);
    return fail(ErrorKind::usage, "proxy connections: --sort '" + word + "': expected one of " + words);
  }
  std::ranges::sort(connections, {}, [](const Connection& one) { return std::pair(one.client, one.id); });
  std::ranges::stable_sort(connections, order->before);
  return {};
}

std::string wire_table_text(std::span<const ProxyWireConnection> connections, bool color, std::size_t room) {
  if (connections.empty()) return "no connection is on the wire in this network namespace\n";
  Row headings;
  Widths widths{};
  std::vector<Row> rows(connections.size());
  for (std::size_t i = 0; i < width; ++i) {
    headings[i] = columns[i].heading;
    widths[i] = headings[i].size();
    for (std::size_t row = 0; row < rows.size(); ++row) {
      rows[row][i] = columns[i].cell(connections[row]);
      widths[i] = std::max(widths[i], rows[row][i].size());
    }
  }
  const auto left_out = room > 0 ? leave_out(widths, room) : std::string();
  auto text = styled(color, bold, line_of(headings, widths));
  for (std::size_t row = 0; row < rows.size(); ++row) {
    const bool is_aborted = connections[row].state == ProxyWireState::aborted;
    text += styled(color && is_aborted, alert, line_of(rows[row], widths));
  }
  text += '\n' + summary_line(connections) + '\n';
  return left_out.empty() ? text : text + "left out, as the terminal is narrow: " + left_out + '\n';
}

std::string wire_table_json(std::span<const ProxyWireConnection> connections) {
  std::string text;
  for (const auto& connection : connections)  // bytes that are no UTF-8 become U+FFFD
    text += connection_json(connection).dump(-1, ' ', false, Json::error_handler_t::replace) + '\n';
  return text;
}

}  // namespace sonde::cli
