// SPDX-License-Identifier: Apache-2.0
#include "sensors/flows/program.hpp"

#include <algorithm>
#include <random>

#include "filter/filter.hpp"

extern "C" {
extern const std::uint8_t sonde_packets_flows_bpf_object[];
extern const std::uint8_t sonde_packets_flows_bpf_object_end[];
extern const std::uint8_t sonde_packets_flows_owners_bpf_object[];
extern const std::uint8_t sonde_packets_flows_owners_bpf_object_end[];
}

namespace sonde::flows {
namespace {

// Room for a ClientHello; what goes on beyond is cut.
constexpr std::uint32_t name_bytes = 2048;

std::uint64_t random_seed() {
  std::random_device device;
  return std::uint64_t{device()} << 32 | device();
}

sonde_flows_config make_config(const FlowProgramOptions& options) {
  const auto& packets = options.packets;
  sonde_flows_config config{};
  config.seed = random_seed();
  config.buckets = bucket_count(options.max_flows);
  config.owners = packets.owners != nullptr;
  config.groups = options.groups;
  config.show_arp = options.arp;
  config.show_dns = options.dns;
  config.light_path = options.light_path && !filter::has_field_tests(*packets.filter.fields) && !packets.count_totals;
  return config;
}

}  // namespace

std::span<const std::uint8_t> flow_object_bytes(bool with_owners) {
  if (with_owners) return {sonde_packets_flows_owners_bpf_object, sonde_packets_flows_owners_bpf_object_end};
  return {sonde_packets_flows_bpf_object, sonde_packets_flows_bpf_object_end};
}

std::uint32_t bucket_count(std::uint32_t max_flows) {
  constexpr std::uint64_t slots = SONDE_FLOW_BUCKET_SLOTS;
  return static_cast<std::uint32_t>(std::max<std::uint64_t>(1, (std::uint64_t{max_flows} * 3 / 2 + slots - 1) / slots));
}

Result<kernel::Object> load_flow_program(FlowProgramOptions options) {
  auto& packets = options.packets;
  packets.transport = SONDE_TRANSPORT_RING;
  packets.emit_events = SONDE_EMIT_ALWAYS;
  packets.capture_bytes = true;
  packets.snaplen = name_bytes;
  auto object = kernel::Object::open(flow_object_bytes(packets.owners != nullptr), "sonde_flows");
  if (!object) return object;
  const auto config = make_config(options);
  const std::uint32_t slots = config.buckets * SONDE_FLOW_BUCKET_SLOTS;
  for (const auto& done :
       {object->set_constant("flows_config", config), object->set_max_entries("sonde_flow_buckets", config.buckets),
        object->set_max_entries("sonde_flow_slots", slots),
        packets.owners == nullptr ? Result<void>() : object->set_max_entries("sonde_flow_owners", slots)}) {
    if (!done) return std::unexpected(done.error());
  }
  auto loaded = packets::load_program(*object, packets);
  if (!loaded) return std::unexpected(loaded.error());
  return object;
}

}  // namespace sonde::flows
