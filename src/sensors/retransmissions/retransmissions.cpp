// SPDX-License-Identifier: Apache-2.0
#include "sensors/retransmissions/retransmissions.hpp"

#include <fmt/format.h>
#include <sonde/abi/counters.h>
#include "sensors/retransmissions/retransmissions.abi.h"

#include <algorithm>
#include <array>

#include "filter/endpoints.hpp"
#include "kernel/symbols.hpp"
#include "kernel/tracing.hpp"
#include "sensors/retransmissions/decode.hpp"

extern const std::uint8_t sonde_retransmissions_bpf_object[];
extern const std::uint8_t sonde_retransmissions_bpf_object_end[];

namespace sonde::retransmissions {
namespace {

struct Hook {
  const char* program;
  const char* nested;  ///< its double
  const char* lost;    ///< what cannot be told without it; null: nothing can
};

constexpr std::array<Hook, 5> hooks = {{
    {"sonde_congestion_state", "sonde_congestion_state_nested",
     "retransmissions that timestamps or F-RTO prove to be needless are not told"},
    {"sonde_socket_state", "sonde_socket_state_nested", "what comes to light when a socket is closed is not told"},
    {"sonde_drop", "sonde_drop_nested",
     "segments that were lost on this host cannot be told from those lost on the wire"},
    {"sonde_retransmit_synack", "sonde_retransmit_synack_nested", nullptr},
    {"sonde_retransmit_skb", "sonde_retransmit_skb_nested", nullptr},
}};

// The data of these had arrived before, or the packet was not lost at all.
constexpr std::array<std::string_view, 7> harmless_reasons = {"NOT_DROPPED_YET",  "CONSUMED",     "TCP_OLD_DATA",
                                                              "TCP_OLD_SEQUENCE", "TCP_OFOMERGE", "TCP_OLD_ACK",
                                                              "PACKET_SOCK_ERROR"};

const std::map<std::uint32_t, std::string>& reasons() {
  return kernel::enum_names("skb_drop_reason", "SKB_DROP_REASON_");
}

std::string reason_name(std::uint32_t number) {
  const auto found = reasons().find(number);
  return found == reasons().end() ? std::to_string(number) : found->second;
}

// Before Linux 6.3 TCP_INVALID_SEQUENCE is also what TCP_OLD_SEQUENCE is now: nothing can be said of it.
bool is_harmless(const std::string& reason) {
  const auto is_told_apart = [] {
    return std::ranges::any_of(reasons(), [](const auto& known) { return known.second == "TCP_OLD_SEQUENCE"; });
  };
  if (reason == "TCP_INVALID_SEQUENCE") return !is_told_apart();
  return reason == "SKB_CONSUMED" ||  // without the prefix of the others
         std::ranges::find(harmless_reasons, reason) != harmless_reasons.end();
}

constexpr KernelNames kernel_names{reason_name, kernel::function_at};

std::array<std::uint64_t, SONDE_DROP_REASONS / 64> ignored_reasons() {
  std::array<std::uint64_t, SONDE_DROP_REASONS / 64> bits{};
  for (const auto& [number, name] : reasons()) {
    if (is_harmless(name) && number < SONDE_DROP_REASONS) bits[number / 64] |= 1ULL << (number % 64);
  }
  return bits;
}

Result<void> prepare(kernel::Object& object, const events::SensorRequest& request,
                     const owners::OwnerTracking& tracking) {
  const auto arguments = static_cast<std::uint32_t>(kernel::tracepoint_arguments("tcp_retransmit_skb"));
  auto done = events::prepare_ring(object, request.buffer_bytes);
  if (done) done = object.set_constant("sonde_retransmit_arguments", arguments);
  if (done) done = object.set_constant("sonde_ignored_reasons", ignored_reasons());
  if (done) done = tracking.share(object);
  if (done) done = object.load();
  return done;
}

// The program and its double (bpf/nested.h).
Result<void> attach_hook(events::Sensor<Retransmission>& sensor, const Hook& hook) {
  for (const char* name : {hook.program, hook.nested}) {
    auto link = kernel::attach_tracing(sensor.object, name);
    if (!link) return std::unexpected(link.error());
    sensor.links.push_back(std::move(*link));
  }
  return {};
}

Result<void> attach(events::Sensor<Retransmission>& sensor) {
  for (const auto& hook : hooks) {
    const auto attached = attach_hook(sensor, hook);
    if (attached) continue;
    if (hook.lost == nullptr) return attached;
    sensor.notices.push_back(fmt::format("{}: {}", hook.lost, attached.error().text()));
  }
  return {};
}

std::optional<Retransmission> decode_record(std::span<const std::uint8_t> bytes, const WallClock& clock,
                                            owners::OwnerTracking& owners) {
  const auto record = read_record(bytes);
  if (!record) return std::nullopt;
  auto event = decode(*record, clock, kernel_names);
  event.owner = owners.resolve(record->owner);
  return event;
}

filter::EndpointPacket packet_of(const Retransmission& event) {
  constexpr std::uint8_t syn = 2;
  constexpr std::uint8_t ack = 16;
  filter::EndpointPacket packet;
  packet.sequence = event.sequence;
  packet.payload_size = event.end_sequence - event.sequence;
  if (event.kind == RetransmissionKind::syn) packet.tcp_flags = syn;
  if (event.kind == RetransmissionKind::syn_ack) packet.tcp_flags = syn | ack;
  if (packet.tcp_flags != ack) packet.payload_size = 0;
  return packet;
}

// The descriptor stays the object's own; both live in the source.
std::string forgotten_drops(int counts_fd) {
  const std::uint32_t element = 0;
  const auto counts = kernel::sum_per_cpu<sonde_counters>(counts_fd, &element);
  if (!counts || counts->uncounted == 0) return {};
  return fmt::format("{} local losses were forgotten before the retransmission came", counts->uncounted);
}

}  // namespace

Result<std::unique_ptr<pipeline::EventSource<Retransmission>>> open(const events::SensorRequest& request) {
  auto owners = owners::OwnerTracking::start(request.owner);
  if (!owners) return std::unexpected(owners.error());
  auto object =
      kernel::Object::open({sonde_retransmissions_bpf_object, sonde_retransmissions_bpf_object_end}, "sonde_retrans");
  if (!object) return std::unexpected(object.error());
  const auto prepared = prepare(*object, request, **owners);
  if (!prepared) return std::unexpected(prepared.error());
  auto ring = events::open_ring(*object, request.buffer_bytes);
  if (!ring) return std::unexpected(ring.error());

  events::Sensor<Retransmission> sensor{std::move(*owners), std::move(*object), {}, decode_record, {}, {}, {}};
  const auto attached = attach(sensor);
  if (!attached) return std::unexpected(attached.error());
  if (const auto counts = sensor.object.map_fd("sonde_counts"))
    sensor.hook_note = [fd = *counts] { return forgotten_drops(fd); };
  sensor.wanted = [filter = request.filter, tracking = sensor.owners.get()](const Retransmission& event) {
    return filter::matches_endpoints(filter, event.socket, packet_of(event)) && tracking->wanted(event.owner);
  };
  return std::make_unique<events::SensorSource<Retransmission>>(std::move(sensor), std::move(*ring));
}

}  // namespace sonde::retransmissions
