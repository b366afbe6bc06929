// SPDX-License-Identifier: Apache-2.0
#include "sensors/retransmissions/decode.hpp"

#include <cstring>

#include "model/socket.hpp"
#include "sensors/retransmissions/classify.hpp"

namespace sonde::retransmissions {
namespace {

static_assert(std::has_unique_object_representations_v<sonde_retransmission_event>);

template <std::size_t size>
std::string text_of(const char (&bytes)[size]) {
  return {bytes, ::strnlen(bytes, size)};
}

// A packet socket frees its copy when it has no room; the packet itself went on.
bool is_copy(const std::string& function) { return function == "packet_rcv" || function == "tpacket_rcv"; }

std::optional<LocalDrop> local_drop(const sonde_local_drop& raw, const WallClock& clock, const KernelNames& names) {
  if (raw.time_ns == 0) return std::nullopt;
  LocalDrop drop;
  drop.function = names.function(raw.location);
  if (is_copy(drop.function)) return std::nullopt;
  drop.reason = names.reason(raw.reason);
  drop.ifindex = raw.ifindex;
  drop.interface = text_of(raw.device);
  drop.network_namespace = raw.network_namespace;
  drop.wall_ns = clock.wall_ns(raw.time_ns);
  return drop;
}

const char* evidence_text(std::uint8_t evidence) {
  switch (evidence) {
    case SONDE_SPURIOUS_DSACK: return "D-SACK";
    case SONDE_SPURIOUS_UNDO: return "F-RTO or timestamps";
    default: return "";
  }
}

// NET_XMIT_DROP (1) comes from a queue without an errno.
std::int32_t error_number(std::int32_t sent) { return sent > 0 ? -1 : -sent; }

std::uint32_t rto_ms(const sonde_retransmission_event& event) {
  const auto rate = jiffies_per_second(event.jiffies, event.header.ts_ns);
  return rate == 0 ? 0 : static_cast<std::uint32_t>(std::uint64_t{event.rto_jiffies} * 1000 / rate);
}

}  // namespace

std::optional<sonde_retransmission_event> read_record(std::span<const std::uint8_t> bytes) {
  sonde_retransmission_event event;
  if (bytes.size() < sizeof(event)) return std::nullopt;
  std::memcpy(&event, bytes.data(), sizeof(event));
  if (event.header.type != SONDE_EVENT_RETRANSMISSION || event.header.len != sizeof(event)) return std::nullopt;
  return event;
}

Retransmission decode(const sonde_retransmission_event& event, const WallClock& clock, const KernelNames& names) {
  Retransmission out;
  out.wall_ns = clock.wall_ns(event.header.ts_ns);
  out.kind = classify(event);
  out.socket = model::socket_of(event.socket);
  out.sequence = event.sequence;
  out.end_sequence = event.end_sequence;
  out.segments = event.segments;
  out.error = error_number(event.error);
  out.unreported = event.unreported;
  out.smoothed_rtt_us = event.smoothed_rtt_us;
  out.rto_ms = rto_ms(event);
  out.congestion_window = event.congestion_window;
  out.bytes_in_flight = event.bytes_in_flight;
  out.socket_total = event.socket_total;
  out.spurious = event.spurious;
  out.spurious_evidence = evidence_text(event.evidence);
  out.local_drop = local_drop(event.drop, clock, names);
  return out;
}

}  // namespace sonde::retransmissions
