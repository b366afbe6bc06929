// SPDX-License-Identifier: Apache-2.0
#include "export/flows/json.hpp"

#include <fmt/format.h>
#include <netinet/in.h>

#include <array>
#include <iterator>

#include "export/clock.hpp"
#include "export/events/owner.hpp"
#include "export/flows/words.hpp"
#include "export/json/escape.hpp"
#include "export/json/summary.hpp"
#include "export/names.hpp"

namespace sonde::exporter {
namespace {

constexpr std::int64_t second_ns = 1'000'000'000;

template <class... Values>
void append(std::string& out, fmt::format_string<Values...> format, Values&&... values) {
  fmt::format_to(std::back_inserter(out), format, std::forward<Values>(values)...);
}

void append_time(std::string& out, const char* name, std::int64_t wall_ns) {
  static thread_local TimeText time("%Y-%m-%dT%H:%M:%S", TimeText::Zone::utc);
  std::array<char, TimeText::max_size> text;
  char* end = time.append(text.data(), wall_ns);
  out.append(1, '"').append(name).append("\":\"").append(text.data(), end).append("Z\",");
}

std::string seconds(std::chrono::nanoseconds span) {
  return fmt::format("{}.{:09}", span.count() / second_ns, span.count() % second_ns);
}

// Without the comma behind it.
void append_count(std::string& out, const char* name, const PacketCount& count) {
  append(out, "\"{}\":{{\"packets\":{},\"bytes\":{}}}", name, count.packets, count.bytes);
}

// As in packets (docs/json.md).
std::string_view protocol_word(std::uint8_t protocol) {
  sonde_packet_event event{};
  event.flags = SONDE_PACKET_IPV4;
  event.protocol = protocol;
  return protocol_class_word(protocol_class(event));
}

// An end that is not this host has no owner, and says nothing about one.
bool tells_owner(const FlowRecord& record, std::size_t end) {
  const auto& owner = record.flow.sides[end].owner.owner;
  if (owner.known()) return true;
  const bool other_is_here = record.flow.sides[1 - end].owner.owner.known();
  const bool only_received = record.received[end] && !record.sent[end];
  return owner.reason != SONDE_REASON_NOT_TRACKED && !other_is_here && !only_received;
}

void append_owner(std::string& out, const SocketOwner& owner) {
  nlohmann::ordered_json object;
  add_owner(object, owner);
  const auto text = object.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  out += ',';
  out.append(text, 1, text.size() - 2);
}

bool has_ports(std::uint8_t protocol) {
  return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP || protocol == IPPROTO_UDPLITE;
}

void append_end(std::string& out, const char* name, const FlowRecord& record, std::size_t end) {
  const auto& flow = record.flow;
  const auto& side = flow.sides[end];
  append(out, ",\"{}\":{{\"address\":\"{}\"", name, side.endpoint.address_text());
  if (has_ports(flow.protocol)) append(out, ",\"port\":{}", side.endpoint.port);
  out += ',';
  append_count(out, "total", {side.packets, side.bytes});
  out += ',';
  append_count(out, "delta", record.delta[end]);
  if (flow.protocol == IPPROTO_TCP) {
    const auto letters = side.tcp_flags == 0 ? std::string_view() : tcp_flag_letters(side.tcp_flags);
    append(out, ",\"retransmissions\":{},\"flags\":\"{}\"", side.retransmissions, letters);
  }
  if (side.packets > 0) append(out, ",\"ttl\":{}", side.hop_limit);
  if (tells_owner(record, end)) append_owner(out, side.owner);
  out += '}';
}

void append_facts(std::string& out, const Flow& flow) {
  if (flow.protocol == IPPROTO_TCP) append(out, ",\"start_seen\":{}", flow.start_seen);
  if (flow.unreachable) out += ",\"unreachable\":true";
  if (flow.vlan) append(out, ",\"vlan\":{}", *flow.vlan);
  if (flow.syn_ack_time) append(out, ",\"syn_ack_us\":{}", flow.syn_ack_time->count());
  if (flow.handshake_time) append(out, ",\"rtt_us\":{}", flow.handshake_time->count());
  if (flow.name_source == FlowNameSource::none) return;
  append(out, ",\"name_source\":\"{}\"", flow.name_source == FlowNameSource::tls ? "tls" : "dns");
  if (!flow.name.empty()) append_json_string(out += ",\"name\":", flow.name);
  if (!flow.alpn.empty()) append_json_string(out += ",\"alpn\":", flow.alpn);
}

// "sent" and "received" of a group; of the protocol, whose groups have no end, what openers and responders sent.
void append_both(std::string& out, const char* name, const std::array<PacketCount, 2>& count) {
  append(out, "\"{}\":{{", name);
  append_count(out, "sent", count[0]);
  out += ',';
  append_count(out, "received", count[1]);
}

std::string group_json(const FlowTable& table, const FlowRow& row, const char* type) {
  std::string out = fmt::format("{{\"type\":\"{}\",", type);
  append_time(out, "time", table.wall_ns);
  append(out, "\"by\":\"{}\"", grouping_word(table.by));
  if (!row.name.empty()) append_json_string(out += ",\"name\":", row.name);
  append(out, ",\"seconds\":{},\"flows\":{},", seconds(table.interval), row.flows);
  append_both(out, "interval", row.interval);
  out += "},";
  append_both(out, "total", row.total);
  append(out, ",\"retransmissions\":{}}}", row.retransmissions);
  if (row.rtt) append(out, ",\"rtt_us\":{}", row.rtt->count());
  return out + "}";
}

}  // namespace

std::string flow_record_json(const FlowRecord& record) {
  const auto& flow = record.flow;
  std::string out = "{\"type\":\"flow\",";
  append_time(out, "time", flow.last_wall_ns);
  append(out, "\"end\":\"{}\",\"id\":{},", flow_end_name(flow.end), flow.id);
  append_time(out, "first", flow.first_wall_ns);
  append_time(out, "delta_from", record.delta_from_wall_ns);
  append_json_member(out, "interface", flow.interface);
  if (flow.network_namespace != 0) append(out, "\"network_namespace\":{},", flow.network_namespace);
  append(out, "\"protocol\":\"{}\",\"protocol_number\":{}", protocol_word(flow.protocol), flow.protocol);
  append_end(out, "opener", record, 0);
  append_end(out, "responder", record, 1);
  append_facts(out, flow);
  return out + "}";
}

std::vector<std::string> flow_groups_json(const FlowTable& table) {
  std::vector<std::string> lines;
  lines.reserve(table.rows.size() + 1);
  for (const auto& row : table.rows) lines.push_back(group_json(table, row, "flow_group"));
  if (table.more > 0) {
    auto line = group_json(table, table.others, "flow_group_others");
    line.insert(line.size() - 1, fmt::format(",\"groups\":{}", table.more));
    lines.push_back(std::move(line));
  }
  return lines;
}

std::string flow_summary_json(const FlowSummary& summary) {
  std::string out = fmt::format(
      "{{\"type\":\"summary\",\"duration\":{},\"flows\":{},\"records\":{},\"packets\":{},\"bytes\":{}",
      seconds(summary.duration), summary.flows, summary.records, summary.total.packets, summary.total.bytes);
  append(out, ",\"coverage\":{}", flow_coverage(summary.loss));
  append_loss_member(out, summary.loss);
  return out + "}";
}

}  // namespace sonde::exporter
