// SPDX-License-Identifier: Apache-2.0
#include "records.hpp"

#include "scripted_source.hpp"

namespace sonde::test {
namespace {

Endpoint endpoint(std::uint8_t last, std::uint16_t port, bool ipv6) {
  Endpoint result;
  if (ipv6)
    result.address = {0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last};
  else
    result.address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, last};
  result.port = port;
  return result;
}

FlowRow row_of(const Flow& flow) {
  FlowRow row;
  row.flow = flow;
  for (std::size_t end = 0; end < 2; ++end)
    row.total[end] = row.interval[end] = {flow.sides[end].packets, flow.sides[end].bytes};
  row.retransmissions = flow.sides[0].retransmissions;
  row.rtt = flow.handshake_time;
  row.lasting = std::chrono::nanoseconds(flow.last_wall_ns - flow.first_wall_ns);
  return row;
}

}  // namespace

FlowRecord sample_record(bool ipv6) {
  FlowRecord record;
  auto& flow = record.flow;
  flow.id = 17;
  flow.first_wall_ns = 1'763'740'848'129'000'000;
  flow.last_wall_ns = 1'763'740'849'260'500'000;
  flow.network_namespace = 4026531840;
  flow.interface = "eth0";
  flow.protocol = 6;
  flow.sides[0] = {endpoint(1, 40000, ipv6), 3, 300, 1, 0x1b, 64, {}};
  flow.sides[1] = {endpoint(2, 443, ipv6), 2, 2000, 0, 0x12, 60, {}};
  flow.start_seen = true;
  flow.syn_ack_time = std::chrono::microseconds(180);
  flow.handshake_time = std::chrono::microseconds(200);
  flow.end = FlowEnd::closed;
  record.delta = {PacketCount{3, 300}, PacketCount{2, 2000}};
  record.delta_from_wall_ns = flow.first_wall_ns;
  record.ifindex = 2;
  record.sent = {true, false};
  record.received = {false, true};
  return record;
}

FlowTable sample_table() {
  FlowTable table;
  table.wall_ns = 1'763'740'850'000'000'000;
  table.interval = std::chrono::seconds(1);
  auto web = sample_record().flow;
  web.name = "www.example\033[2J.org";
  web.name_source = FlowNameSource::tls;
  web.sides[0].owner = owned_by("curl", 4711);
  auto dns = sample_record(true).flow;
  dns.protocol = 17;
  dns.sides[1].endpoint.port = 53;
  dns.sides[0].retransmissions = 0;
  dns.handshake_time.reset();
  dns.name = "example.org";
  dns.name_source = FlowNameSource::dns;
  dns.end = FlowEnd::none;
  auto ping = sample_record().flow;
  ping.protocol = 1;
  ping.sides[0].endpoint.port = ping.sides[1].endpoint.port = 0;
  ping.handshake_time.reset();
  ping.sides[0].owner.owner.reason = SONDE_REASON_NO_SOCKET;
  ping.end = FlowEnd::idle;
  for (const auto& flow : {web, dns, ping}) table.rows.push_back(row_of(flow));
  table.more = 2;
  table.others.interval = {PacketCount{4, 400}, PacketCount{0, 0}};
  table.flows = 5;
  table.new_flows = 5;
  table.ended_flows = 2;
  table.interval_total = {19, 7300};
  table.total = {1019, 1'007'300};
  table.loss.stages = {{"hook", 1030, 1029, 1, 0, ""}, {"flows", 1029, 1019, 0, 10, "no room"}};
  return table;
}

}  // namespace sonde::test
