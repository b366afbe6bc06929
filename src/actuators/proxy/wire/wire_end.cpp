// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/wire/wire_end.hpp"

#include <algorithm>
#include <array>

namespace sonde::proxy {
namespace {

constexpr std::uint32_t closed = SONDE_WIRE_SAW_FIN | SONDE_WIRE_FIN_ACKNOWLEDGED;

bool has(const sonde_wire_side_state& side, std::uint32_t bits) { return (side.seen & bits) == bits; }

bool has_passed(std::uint64_t since, std::chrono::milliseconds limit, std::uint64_t now) {
  return now > since && now - since >= static_cast<std::uint64_t>(std::chrono::nanoseconds(limit).count());
}

}  // namespace

const char* wire_end_reason_name(WireEndReason reason) {
  static constexpr std::array names{"client-closed", "upstream-closed", "client-reset", "upstream-reset", "idle",
                                    "half-closed",   "too-old",         "aborted",      "port-reused"};
  static_assert(names.size() == static_cast<std::size_t>(WireEndReason::port_reused) + 1);
  const auto index = static_cast<std::size_t>(reason);
  return index < names.size() ? names[index] : "";
}

std::uint64_t last_seen(const sonde_wire_connection& connection) {
  return std::max({connection.joined, connection.sides[0].last_seen, connection.sides[1].last_seen});
}

std::optional<WireEndReason> end_of(const sonde_wire_connection& connection, const WireLimits& limits,
                                    std::uint64_t now) {
  const auto& client = connection.sides[SONDE_WIRE_CLIENT];
  const auto& upstream = connection.sides[SONDE_WIRE_UPSTREAM];
  if (has(client, SONDE_WIRE_PORT_REUSED)) return WireEndReason::port_reused;
  if (has(client, SONDE_WIRE_SAW_RESET)) return WireEndReason::client_reset;
  if (has(upstream, SONDE_WIRE_SAW_RESET)) return WireEndReason::upstream_reset;
  if (has(client, closed) && has(upstream, closed))
    return has(upstream, SONDE_WIRE_FIRST_FIN) ? WireEndReason::upstream_closed : WireEndReason::client_closed;
  // 0: never.
  const auto over = [&](std::uint64_t since, std::chrono::milliseconds limit) {
    return limit.count() > 0 && has_passed(since, limit, now);
  };
  if (over(connection.joined, limits.max_age)) return WireEndReason::too_old;
  const auto seen = last_seen(connection);
  const bool one_has_ended = has(client, SONDE_WIRE_SAW_FIN) || has(upstream, SONDE_WIRE_SAW_FIN);
  if (one_has_ended && over(seen, limits.half_closed)) return WireEndReason::half_closed;
  if (over(seen, limits.idle)) return WireEndReason::idle;
  return std::nullopt;
}

bool needs_reset(WireEndReason reason) {
  using enum WireEndReason;
  return reason == idle || reason == half_closed || reason == too_old || reason == aborted;
}

// A FIN whose acknowledgement was lost comes again after a retransmission timeout, of 200 ms at least, doubled each
// time. After a reset nothing is sent again; what was under way before it is.
std::chrono::nanoseconds linger_of(WireEndReason reason) {
  using enum WireEndReason;
  using namespace std::chrono_literals;
  if (reason == port_reused) return 0s;
  return reason == client_closed || reason == upstream_closed ? 5s : 2s;
}

}  // namespace sonde::proxy
