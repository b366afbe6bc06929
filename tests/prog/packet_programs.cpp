// SPDX-License-Identifier: Apache-2.0
#include "packet_programs.hpp"

#include <bpf/bpf.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include <span>
#include <stdexcept>
#include <string_view>

#include "harness/result.hpp"
#include "model/parse.hpp"

namespace sonde::test {
namespace {

constexpr std::size_t buffer_bytes = 4 * 1024 * 1024;

}  // namespace

PacketPrograms::PacketPrograms(packets::ProgramOptions options, const FilterOptions& filter)
    : filter_(value_or_throw(filter::compile(filter))) {
  options.filter = filter_;
  options.xdp = true;
  options.raw_ip = true;
  object_.emplace(value_or_throw(packets::load_program(options)));
  reader_ = value_or_throw(options.transport == SONDE_TRANSPORT_PERF
                               ? packets::make_perf_reader(*object_, buffer_bytes)
                               : packets::make_ring_reader(*object_, options.rings, buffer_bytes));
}

RunResult PacketPrograms::run(const std::string& program, const Bytes& packet, std::uint32_t gso_segments) {
  RunResult result;
  result.packet.assign(packet.size() + 64, 0xa5);
  __sk_buff context{};
  context.gso_segs = gso_segments;
  LIBBPF_OPTS(bpf_test_run_opts, run);
  run.data_in = packet.data();
  run.data_size_in = static_cast<__u32>(packet.size());
  run.data_out = result.packet.data();
  run.data_size_out = static_cast<__u32>(result.packet.size());
  run.repeat = 1;
  if (gso_segments > 0) {
    run.ctx_in = &context;
    run.ctx_size_in = sizeof(context);
  }
  result.error = -bpf_prog_test_run_opts(value_or_throw(object_->program_fd(program)), &run);
  if (result.error != 0) return result;
  result.verdict = run.retval;
  result.packet.resize(run.data_size_out);
  pipeline::PacketBatch batch;
  while (reader_->read(batch, std::chrono::milliseconds{0}) && batch.size > 0)
    for (const auto& seen : batch.view()) {
      const auto bytes = seen.bytes();
      result.events.push_back({*seen.event, {bytes.begin(), bytes.end()}, seen.wall_ns});
    }
  return result;
}

sonde_counters PacketPrograms::counters() const {
  const std::uint32_t element = 0;
  return value_or_throw(kernel::sum_per_cpu<sonde_counters>(value_or_throw(object_->map_fd("sonde_counts")), &element));
}

void PacketPrograms::switch_events(bool on) const {
  const std::uint32_t element = 0;
  const std::uint32_t value = on ? 1 : 0;
  value_or_throw(kernel::map_update(value_or_throw(object_->map_fd("sonde_switch")), &element, &value));
}

const std::vector<ProgramUnderTest>& programs_under_test() {
  constexpr auto unspecified = static_cast<std::uint32_t>(TC_ACT_UNSPEC);
  static const std::vector<ProgramUnderTest> programs = {
      {"sonde_xdp", LinkType::ethernet, XDP_PASS, SONDE_DIRECTION_IN},
      {"sonde_ingress", LinkType::ethernet, unspecified, SONDE_DIRECTION_IN},
      {"sonde_egress", LinkType::ethernet, unspecified, SONDE_DIRECTION_OUT},
      {"sonde_raw_in", LinkType::raw_ip, unspecified, SONDE_DIRECTION_IN},
      {"sonde_raw_out", LinkType::raw_ip, unspecified, SONDE_DIRECTION_OUT}};
  return programs;
}

bool refused_for_tc(const Bytes& packet) {
  constexpr std::size_t link = 14;
  if (packet.size() <= link) return true;
  const int type = packet[12] << 8 | packet[13];
  return (type == ether_ipv4 && packet.size() < link + 20) || (type == ether_ipv6 && packet.size() < link + 40);
}

sonde_packet_event parsed(const Bytes& packet, LinkType link, std::size_t readable) {
  sonde_packet_event event{};
  const std::span<const std::uint8_t> bytes(packet.data(), std::min(readable, packet.size()));
  parse_packet(bytes, static_cast<std::uint32_t>(packet.size()), link, {}, event);
  return event;
}

sonde_packet_event header_members(const SeenPacket& seen) {
  auto event = seen.event;
  event.header = {};
  event.captured_size = 0;
  event.direction = 0;
  event.segments = 0;
  return event;
}

std::string describe(const sonde_packet_event& e) {
  return fmt::format(
      "addresses {:02x} > {:02x}\nports {} > {}\nsize {} captured {} payload {} at {}, network at {}\n"
      "tcp seq {} ack {} window {} flags {:#x}\nether type {:#x} vlan {:#x} {:#x}\nsegments {} fragment offset {}\n"
      "protocol {} direction {} flags {:#x} status {} hop limit {} icmp {} {}\nheader {} {} {} {}",
      fmt::join(e.source_address, ""), fmt::join(e.destination_address, ""), e.source_port, e.destination_port,
      e.packet_size, e.captured_size, e.payload_size, e.payload_offset, e.network_offset, e.tcp_sequence,
      e.tcp_acknowledgment, e.tcp_window, e.tcp_flags, e.ether_type, e.vlan_outer, e.vlan_inner, e.segments,
      e.fragment_offset, e.protocol, e.direction, e.flags, e.status, e.hop_limit, e.icmp_type, e.icmp_code,
      e.header.ts_ns, e.header.len, e.header.type, e.header.ifindex);
}

}  // namespace sonde::test
