// SPDX-License-Identifier: Apache-2.0
#include "export/flows/ipfix/encoder.hpp"

#include <algorithm>
#include <array>

namespace sonde::exporter::ipfix {
namespace {

// https://www.iana.org/assignments/ipfix/ipfix.xhtml
enum Element : std::uint16_t {
  octet_delta_count = 1,
  packet_delta_count = 2,
  protocol_identifier = 4,
  tcp_control_bits = 6,
  source_transport_port = 7,
  source_ipv4_address = 8,
  ingress_interface = 10,
  destination_transport_port = 11,
  destination_ipv4_address = 12,
  egress_interface = 14,
  source_ipv6_address = 27,
  destination_ipv6_address = 28,
  exported_flow_record_total_count = 42,
  vlan_id = 58,
  flow_end_reason = 136,
  observation_domain_id = 149,
  flow_start_milliseconds = 152,
  flow_end_milliseconds = 153,
  ignored_packet_total_count = 164,
  not_sent_flow_total_count = 166,
  not_sent_packet_total_count = 167,
  selector_id = 302,
  selector_algorithm = 304,
  sampling_packet_interval = 305,
  sampling_packet_space = 306,
};

struct Field {
  Element element;
  std::uint16_t size;
};

constexpr std::uint16_t template_set = 2;
constexpr std::uint16_t options_template_set = 3;
constexpr std::size_t set_header = 4;
constexpr std::uint32_t sampling_selector = 1;
constexpr std::uint16_t systematic_count_based = 1;  // psampSelectorAlgorithms: 1 packet taken, 0 left out

// The members of a data record in front of and behind the addresses.
constexpr std::array counts = {Field{flow_start_milliseconds, 8}, Field{flow_end_milliseconds, 8},
                               Field{octet_delta_count, 8}, Field{packet_delta_count, 8}};
constexpr std::array ipv4_addresses = {Field{source_ipv4_address, 4}, Field{destination_ipv4_address, 4}};
constexpr std::array ipv6_addresses = {Field{source_ipv6_address, 16}, Field{destination_ipv6_address, 16}};
constexpr std::array others = {Field{source_transport_port, 2}, Field{destination_transport_port, 2},
                               Field{ingress_interface, 4},     Field{egress_interface, 4},
                               Field{tcp_control_bits, 2},      Field{protocol_identifier, 1},
                               Field{flow_end_reason, 1}};
constexpr std::array vlan = {Field{vlan_id, 2}};
constexpr std::array sampling = {Field{selector_id, 4}, Field{selector_algorithm, 2},
                                 Field{sampling_packet_interval, 4}, Field{sampling_packet_space, 4}};
constexpr std::array statistics_fields = {Field{observation_domain_id, 4}, Field{exported_flow_record_total_count, 8},
                                          Field{ignored_packet_total_count, 8}, Field{not_sent_flow_total_count, 8},
                                          Field{not_sent_packet_total_count, 8}};

std::vector<Field> fields_of(std::uint16_t id) {
  std::vector<Field> fields;
  const auto add = [&](const auto& part) { fields.insert(fields.end(), part.begin(), part.end()); };
  add(counts);
  if (id == template_ipv4 || id == template_ipv4_vlan)
    add(ipv4_addresses);
  else
    add(ipv6_addresses);
  add(others);
  if (id == template_ipv4_vlan || id == template_ipv6_vlan) add(vlan);
  return fields;
}

std::size_t record_size(std::uint16_t id) {
  std::size_t size = 0;
  for (const auto& field : fields_of(id)) size += field.size;
  return size;
}

// Network byte order.
void put(std::vector<std::uint8_t>& out, std::uint64_t value, std::size_t size) {
  for (std::size_t i = size; i-- > 0;) out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}

void put_at(std::vector<std::uint8_t>& out, std::size_t offset, std::uint16_t value) {
  out[offset] = static_cast<std::uint8_t>(value >> 8);
  out[offset + 1] = static_cast<std::uint8_t>(value);
}

template <class Fields>
void put_fields(std::vector<std::uint8_t>& out, const Fields& fields) {
  for (const auto& field : fields) {
    put(out, field.element, 2);
    put(out, field.size, 2);
  }
}

template <class Fields>
void put_options_template(std::vector<std::uint8_t>& out, std::uint16_t id, const Fields& fields) {
  put(out, id, 2);
  put(out, fields.size(), 2);
  put(out, 1, 2);  // scope fields: the first one
  put_fields(out, fields);
}

void put_address(std::vector<std::uint8_t>& out, const Endpoint& endpoint, bool ipv4) {
  out.insert(out.end(), endpoint.address.begin() + (ipv4 ? 12 : 0), endpoint.address.end());
}

// flowEndReason. A connection that was closed or reset has been seen to end.
std::uint8_t end_reason(FlowEnd end) {
  switch (end) {
    case FlowEnd::none: return 2;
    case FlowEnd::idle: return 1;
    case FlowEnd::closed:
    case FlowEnd::reset: return 3;
    case FlowEnd::shutdown: return 4;
  }
  return 4;
}

std::uint64_t milliseconds(std::int64_t wall_ns) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(wall_ns, 0)) / 1'000'000;
}

std::uint16_t template_of(const Flow& flow) {
  const bool ipv4 = flow.sides[0].endpoint.is_ipv4() && flow.sides[1].endpoint.is_ipv4();
  if (ipv4) return flow.vlan ? template_ipv4_vlan : template_ipv4;
  return flow.vlan ? template_ipv6_vlan : template_ipv6;
}

void put_record(std::vector<std::uint8_t>& out, std::uint16_t id, const FlowRecord& record, std::size_t end) {
  const auto& flow = record.flow;
  const auto& from = flow.sides[end];
  const auto& to = flow.sides[1 - end];
  const bool ipv4 = id == template_ipv4 || id == template_ipv4_vlan;
  put(out, milliseconds(record.delta_from_wall_ns), 8);
  put(out, milliseconds(flow.last_wall_ns), 8);
  put(out, record.delta[end].bytes, 8);
  put(out, record.delta[end].packets, 8);
  put_address(out, from.endpoint, ipv4);
  put_address(out, to.endpoint, ipv4);
  put(out, from.endpoint.port, 2);
  put(out, to.endpoint.port, 2);
  put(out, record.received[end] ? record.ifindex : 0, 4);
  put(out, record.sent[end] ? record.ifindex : 0, 4);
  put(out, from.tcp_flags, 2);
  put(out, flow.protocol, 1);
  put(out, end_reason(flow.end), 1);
  if (flow.vlan) put(out, *flow.vlan, 2);
}

}  // namespace

void Encoder::begin(std::uint32_t export_time) {
  if (!message_.empty()) return;
  put(message_, version, 2);
  put(message_, 0, 2);  // length, at the end
  put(message_, export_time, 4);
  put(message_, sequence_, 4);
  put(message_, domain_, 4);
  const bool old = export_time - templates_at_ >= template_seconds || messages_since_ >= template_messages;
  if (templates_sent_ && !old) return;
  templates_sent_ = true;
  templates_at_ = export_time;
  messages_since_ = 0;
  add_templates();
}

void Encoder::begin_set(std::uint16_t id) {
  set_start_ = message_.size();
  set_id_ = id;
  put(message_, id, 2);
  put(message_, 0, 2);
}

// Padded to four bytes, which is less than the shortest record (RFC 7011 3.3.1).
void Encoder::end_set() {
  if (set_start_ == 0) return;
  while (message_.size() % 4 != 0) message_.push_back(0);
  put_at(message_, set_start_ + 2, static_cast<std::uint16_t>(message_.size() - set_start_));
  set_start_ = 0;
}

void Encoder::add_templates() {
  begin_set(template_set);
  for (const auto id : {template_ipv4, template_ipv4_vlan, template_ipv6, template_ipv6_vlan}) {
    const auto fields = fields_of(id);
    put(message_, id, 2);
    put(message_, fields.size(), 2);
    put_fields(message_, fields);
  }
  end_set();
  begin_set(options_template_set);
  put_options_template(message_, template_sampling, sampling);
  end_set();
  begin_set(template_sampling);
  put(message_, sampling_selector, 4);
  put(message_, systematic_count_based, 2);
  put(message_, 1, 4);
  put(message_, 0, 4);
  end_set();
  ++data_records_;
}

void Encoder::add_direction(const FlowRecord& record, std::size_t end, std::uint32_t export_time) {
  const auto id = template_of(record.flow);
  const auto needed = record_size(id) + set_header + 3;
  if (message_.size() + needed > max_size_) flush();
  begin(export_time);
  if (message_.size() + needed > max_size_) {  // the templates have filled it
    flush();
    begin(export_time);
  }
  if (set_start_ == 0 || set_id_ != id) {
    end_set();
    begin_set(id);
  }
  put_record(message_, id, record, end);
  ++data_records_;
  ++records_;
  packets_ += record.delta[end].packets;
}

void Encoder::add(const FlowRecord& record, std::uint32_t export_time) {
  for (std::size_t end = 0; end < 2; ++end)
    if (record.delta[end].packets > 0) add_direction(record, end, export_time);
}

void Encoder::flush() {
  if (message_.empty()) return;
  end_set();
  put_at(message_, 2, static_cast<std::uint16_t>(message_.size()));
  sequence_ += data_records_;
  ++messages_since_;
  const Message message{message_, records_, packets_};
  give_(message);
  message_.clear();
  data_records_ = 0;
  records_ = packets_ = 0;
}

void Encoder::finish(const Statistics& statistics, std::uint32_t export_time) {
  flush();
  begin(export_time);
  end_set();
  begin_set(options_template_set);
  put_options_template(message_, template_statistics, statistics_fields);
  end_set();
  begin_set(template_statistics);
  put(message_, domain_, 4);
  put(message_, statistics.records, 8);
  put(message_, statistics.ignored_packets, 8);
  put(message_, statistics.not_sent_records, 8);
  put(message_, statistics.not_sent_packets, 8);
  end_set();
  ++data_records_;
  flush();
}

}  // namespace sonde::exporter::ipfix
