// SPDX-License-Identifier: Apache-2.0
#include "export/flows/columns.hpp"

#include <fmt/format.h>
#include <netinet/in.h>

#include <array>

#include "decode/escape.hpp"
#include "export/events/connection_text.hpp"
#include "export/events/owner.hpp"
#include "export/names.hpp"

namespace sonde::exporter {
namespace {

std::string escaped(std::string_view text) {
  std::string out;
  decode::append_escaped(out, text);
  return out;
}

std::string endpoint_text(const Flow& flow, std::size_t end) {
  const auto& endpoint = flow.sides[end].endpoint;
  const bool ports = flow.sides[0].endpoint.port != 0 || flow.sides[1].endpoint.port != 0;
  return ports ? endpoint.text() : endpoint.address_text();
}

std::string protocol_text(const Flow& flow) {
  switch (flow.protocol) {
    case IPPROTO_TCP:
    case IPPROTO_UDP:
    case IPPROTO_ICMP:
    case IPPROTO_ICMPV6:
    case IPPROTO_SCTP: return flow_protocol_name(flow.protocol);
    default: break;
  }
  const auto name = ip_protocol_name(flow.protocol);
  return name.empty() ? flow_protocol_name(flow.protocol) : std::string(name);
}

// Of the ends that are this host. Two processes, if both are; a reason, if nobody knows.
std::string owners_text(const Flow& flow) {
  std::string text, reason;
  for (const auto& side : flow.sides) {
    const auto& owner = side.owner.owner;
    if (!owner.known()) {
      if (owner.reason != SONDE_REASON_NOT_TRACKED && reason.empty())
        reason = std::string("(") + owner_reason_text(owner.reason) + ")";
      continue;
    }
    const auto one = owner_text(side.owner);
    if (text != one) text += (text.empty() ? "" : " > ") + one;
  }
  if (!text.empty()) return text;
  return reason.empty() ? "-" : reason;
}

// What dig would print is escaped already.
std::string name_text(const Flow& flow) {
  if (flow.name.empty()) return flow.alpn.empty() ? "-" : "(" + escaped(flow.alpn) + ")";
  return flow.name_source == FlowNameSource::dns ? flow.name : escaped(flow.name);
}

std::string state_text(const Flow& flow) {
  if (flow.end != FlowEnd::none) return flow_end_name(flow.end);
  return flow.unreachable ? "unreach." : "";
}

// Seconds are enough for what lasts.
std::string lasting_text(std::chrono::nanoseconds time) {
  const double seconds = std::chrono::duration<double>(time).count();
  if (seconds < 1) return fmt::format("{:.0f} ms", seconds * 1000);
  if (seconds < 100) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<std::uint64_t>(seconds);
  return whole < 3600 ? fmt::format("{}m{:02}s", whole / 60, whole % 60)
                      : fmt::format("{}h{:02}m", whole / 3600, whole / 60 % 60);
}

template <std::size_t end>
std::string packets_cell(const FlowTable&, const FlowRow& row) {
  return scaled_text(static_cast<double>(row.total[end].packets));
}
template <std::size_t end>
std::string bytes_cell(const FlowTable&, const FlowRow& row) {
  return bytes_text(row.total[end].bytes);
}
std::string rate_cell(const FlowTable& table, const FlowRow& row) {
  return rate_text(row.interval[0].bytes + row.interval[1].bytes, table.interval);
}
std::string rtt_cell(const FlowTable&, const FlowRow& row) { return row.rtt ? time_span_text(*row.rtt) : "-"; }
// UDP has none that could be seen.
std::string retransmissions_cell(const FlowTable&, const FlowRow& row) {
  if (row.flow && row.flow->protocol != IPPROTO_TCP) return "-";
  return scaled_text(static_cast<double>(row.retransmissions));
}

constexpr std::array<FlowColumn, 14> of_flow = {{
    {"opener", false, 100, [](const FlowTable&, const FlowRow& row) { return endpoint_text(*row.flow, 0); }},
    {"responder", false, 99, [](const FlowTable&, const FlowRow& row) { return endpoint_text(*row.flow, 1); }},
    {"proto", false, 98, [](const FlowTable&, const FlowRow& row) { return protocol_text(*row.flow); }},
    {"pkts>", true, 50, packets_cell<0>},
    {"bytes>", true, 80, bytes_cell<0>},
    {"<pkts", true, 50, packets_cell<1>},
    {"<bytes", true, 80, bytes_cell<1>},
    {"bit/s", true, 95, rate_cell},
    {"rtt", true, 60, rtt_cell},
    {"retr", true, 40, retransmissions_cell},
    {"lasts", true, 30, [](const FlowTable&, const FlowRow& row) { return lasting_text(*row.lasting); }},
    {"end", false, 20, [](const FlowTable&, const FlowRow& row) { return state_text(*row.flow); }},
    {"process", false, 90, [](const FlowTable&, const FlowRow& row) { return owners_text(*row.flow); }},
    {"name", false, 70, [](const FlowTable&, const FlowRow& row) { return name_text(*row.flow); }},
}};

constexpr std::array<FlowColumn, 9> of_group = {{
    {"", false, 100, [](const FlowTable&, const FlowRow& row) { return escaped(row.name); }},
    {"flows", true, 60, [](const FlowTable&, const FlowRow& row) { return std::to_string(row.flows); }},
    {"sent pkts", true, 50, packets_cell<0>},
    {"bytes", true, 80, bytes_cell<0>},
    {"rcvd pkts", true, 50, packets_cell<1>},
    {"bytes", true, 80, bytes_cell<1>},
    {"bit/s", true, 95, rate_cell},
    {"rtt", true, 40, rtt_cell},
    {"retr", true, 30, retransmissions_cell},
}};

}  // namespace

std::span<const FlowColumn> flow_columns() { return of_flow; }
std::span<const FlowColumn> group_columns() { return of_group; }

std::string scaled_text(double value) {
  static constexpr std::array units{"k", "M", "G", "T", "P"};
  if (value < 9999.5) return fmt::format("{:.0f}", value);
  std::size_t unit = 0;
  for (value /= 1000; value >= 999.5 && unit + 1 < units.size(); ++unit) value /= 1000;
  return fmt::format("{:.{}f}{}", value, value < 99.95 ? 1 : 0, units[unit]);
}

std::string rate_text(std::uint64_t bytes, std::chrono::nanoseconds time) {
  const double seconds = std::chrono::duration<double>(time).count();
  return seconds > 0 ? scaled_text(static_cast<double>(bytes) * 8 / seconds) : "-";
}

}  // namespace sonde::exporter
