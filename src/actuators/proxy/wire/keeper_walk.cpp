// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/wire/keeper_walk.hpp"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>

#include "actuators/proxy/wire/frozen_sockets.hpp"
#include "actuators/proxy/wire/wire_end.hpp"
#include "base/wall_clock.hpp"

namespace sonde::proxy {
namespace {

constexpr std::uint64_t second = 1'000'000'000;
// The client's end needs no socket: its local port is a listener's, which nobody takes for a connection. One second
// for packets that were under way when it was frozen.
constexpr std::uint64_t client_socket_ns = second;
// A process that has spliced a connection writes its record right after.
constexpr std::uint64_t without_record_ns = 2 * second;
// Ends that a living process holds still are not to be had; then it is tried no more in this second.
constexpr std::uint32_t failures_at_once = 256;

std::uint64_t now_ns() { return static_cast<std::uint64_t>(monotonic_ns()); }

std::uint32_t phase_of(sonde_wire_connection& connection) {
  return std::atomic_ref(connection.phase).load(std::memory_order_acquire);
}

bool lives(std::uint32_t process) { return ::kill(static_cast<pid_t>(process), 0) == 0 || errno != ESRCH; }

bool is_filled(const sonde_wire_connection& connection) {
  return connection.sides[SONDE_WIRE_CLIENT].destination_port != 0 &&
         connection.sides[SONDE_WIRE_UPSTREAM].destination_port != 0;
}

std::uint32_t next_expected(const sonde_wire_side_state& side) {
  return (side.seen & SONDE_WIRE_SAW_FIN) != 0 ? side.fin : static_cast<std::uint32_t>(side.position);
}

// What the side expects next it has acknowledged; if it has received more since, it asks (RFC 5961), and the program
// answers that.
bool reset(const Endpoint& local, const Endpoint& remote, const sonde_wire_side_state& side) {
  return reset_remote(local, remote, side.acknowledgement, next_expected(side)).has_value();
}

WireEnd end_with(const sonde_wire_connection& connection, WireEndReason reason, std::uint64_t now) {
  const auto& client = connection.sides[SONDE_WIRE_CLIENT];
  const auto& upstream = connection.sides[SONDE_WIRE_UPSTREAM];
  const auto at = needs_reset(reason) ? now : last_seen(connection);
  WireEnd end;
  end.reason = reason;
  end.ends = ends_of(connection);
  end.bytes_received = wire_bytes(client);
  end.bytes_sent = wire_bytes(upstream);
  end.packets_received = client.packets;
  end.packets_sent = upstream.packets;
  end.since_joined = std::chrono::nanoseconds(at - std::min<std::uint64_t>(at, connection.joined));
  return end;
}

}  // namespace

KeeperWalk::Tracked& KeeperWalk::tracked(std::uint32_t index) {
  if (index >= tracked_.size()) tracked_.resize(std::max<std::size_t>(index + 1, table_.used()));
  auto& mine = tracked_[index];
  const auto id = table_.at(index).id;
  if (mine.id == id) return mine;
  if (mine.unreserved) --unreserved_;
  mine = Tracked{};
  mine.id = id;
  return mine;
}

KeeperWalk::Tracked* KeeperWalk::known(std::uint32_t index) {
  return index < tracked_.size() && tracked_[index].id != 0 ? &tracked_[index] : nullptr;
}

void KeeperWalk::begin() {
  const auto used = table_.used();
  for (std::uint32_t i = 0; i < used; ++i)
    if (table_.at(i).owner == static_cast<std::uint32_t>(::getpid())) tracked(i).stale = true;
}

bool KeeperWalk::is_own(std::uint32_t index, const Tracked& mine) const {
  return !mine.stale && table_.at(index).owner == static_cast<std::uint32_t>(::getpid());
}

void KeeperWalk::hold(std::uint32_t index, std::uint64_t id, Fd client, Fd upstream, bool observed) {
  if (table_.at(index).id != id) return;  // it is over already
  auto& mine = tracked(index);
  if (mine.unreserved) --unreserved_;
  mine.unreserved = false;
  mine.observed = mine.observed || observed;
  mine.client = std::move(client);
  mine.upstream = std::move(upstream);
}

void KeeperWalk::walk(const WireLimits& limits, bool keeps) {
  now_ = now_ns();
  const auto used = table_.used();
  for (std::uint32_t i = 0; i < used; ++i) {
    if (keeps)
      keep_element(i, limits);
    else
      release_sockets(i);
  }
  if (keeps) reserve(failures_at_once);
}

void KeeperWalk::look(std::uint32_t index, const WireLimits& limits) {
  now_ = now_ns();
  if (index < table_.used()) keep_element(index, limits);
}

void KeeperWalk::keep_element(std::uint32_t index, const WireLimits& limits) {
  auto& connection = table_.at(index);
  switch (phase_of(connection)) {
    case SONDE_WIRE_TAKEN:
    case SONDE_WIRE_JOINING: return keep_owned(index, limits);
    case SONDE_WIRE_SPLICED:
    case SONDE_WIRE_ABORTED: return keep_spliced(index, tracked(index), limits);
    case SONDE_WIRE_FREED:
      if ((connection.sides[SONDE_WIRE_CLIENT].seen & SONDE_WIRE_PORT_REUSED) != 0)
        return keep_spliced(index, tracked(index), limits);
      [[fallthrough]];
    default: release_sockets(index);
  }
}

// TAKEN and JOINING belong to a process. One that has ended has left peers whose packets nobody relays.
void KeeperWalk::keep_owned(std::uint32_t index, const WireLimits& limits) {
  auto& connection = table_.at(index);
  const auto owner = std::atomic_ref(connection.owner).load(std::memory_order_acquire);
  // A number may be another process's by now.
  const bool forgotten =
      connection.joined != 0 && limits.idle.count() > 0 &&
      now_ > last_seen(connection) + static_cast<std::uint64_t>(std::chrono::nanoseconds(limits.idle).count());
  auto& mine = tracked(index);
  const bool lost = mine.stale || forgotten || owner == 0 || !lives(owner);
  if (is_own(index, mine) || !lost) return;
  if (!mine.suspected && owner == 0) {  // it may be about to say that it is the owner
    mine.suspected = true;
    return;
  }
  if (!is_filled(connection)) return finish(index, mine);
  connection.ended = 1;  // its process had its record, and with it its line
  mine.over_since = now_;
  mine.reason = WireEndReason::aborted;
  abort(index, mine);
}

void KeeperWalk::keep_spliced(std::uint32_t index, Tracked& mine, const WireLimits& limits) {
  auto& connection = table_.at(index);
  if (mine.over_since == 0) {
    if (!mine.observed && connection.ended == 0) adopt(index, mine);
    if (mine.observed) count(index);
    const bool was_aborted = phase_of(connection) == SONDE_WIRE_ABORTED;
    const auto reason = was_aborted ? WireEndReason::aborted : end_of(connection, limits, now_);
    if (reason && (mine.observed || connection.ended != 0))
      tell_end(index, mine, *reason);
    else if (was_aborted)
      mine.over_since = now_;  // by its process while it was JOINING, which tells of it itself
  }
  if (mine.client && (mine.over_since != 0 || now_ >= connection.spliced + client_socket_ns)) mine.client.reset();
  if (mine.over_since == 0) return;
  reset_peers(index, mine);
  const auto since = needs_reset(mine.reason) ? mine.over_since : last_seen(connection);
  if (now_ >= since + static_cast<std::uint64_t>(linger_of(mine.reason).count())) finish(index, mine);
}

// Left by an earlier process, or spliced by the one that hands over; that writes its record first.
void KeeperWalk::adopt(std::uint32_t index, Tracked& mine) {
  const auto& connection = table_.at(index);
  const auto ready = std::max(connection.spliced, connection.joined) + without_record_ns;
  if (is_own(index, mine) || (connection.record_parts == 0 && now_ < ready)) return;
  if (phase_of(table_.at(index)) == SONDE_WIRE_ABORTED && connection.record_parts == 0) return;
  mine.observed = true;
  if (!mine.upstream && !mine.unreserved) {
    mine.unreserved = true;
    ++unreserved_;
  }
  auto record = table_.read_record(index);
  observer_.adopted(index, record ? *record : std::string());
}

// `counted` stands in the element, so that each byte is told of once, whichever process does.
void KeeperWalk::count(std::uint32_t index) {
  auto& client = table_.at(index).sides[SONDE_WIRE_CLIENT];
  auto& upstream = table_.at(index).sides[SONDE_WIRE_UPSTREAM];
  const auto received = wire_bytes(client);
  const auto sent = wire_bytes(upstream);
  const auto more_received = received - std::min<std::uint64_t>(received, client.counted);
  const auto more_sent = sent - std::min<std::uint64_t>(sent, upstream.counted);
  if (more_received + more_sent == 0) return;
  client.counted = received;
  upstream.counted = sent;
  observer_.moved(index, more_received, more_sent);
}

void KeeperWalk::tell_end(std::uint32_t index, Tracked& mine, WireEndReason reason) {
  auto& connection = table_.at(index);
  mine.over_since = now_;
  mine.reason = reason;
  if (needs_reset(reason)) abort(index, mine);
  if (connection.ended != 0) return;
  auto end = end_with(connection, reason, now_);
  if (auto record = table_.read_record(index)) end.record = std::move(*record);
  connection.ended = 1;
  observer_.ended(index, end);
}

// First the phase, so that no packet of one peer's wakes the other's connection again; and no socket of these ends may
// be there when one is made to reset.
void KeeperWalk::abort(std::uint32_t index, Tracked& mine) {
  std::atomic_ref(table_.at(index).phase).store(SONDE_WIRE_ABORTED, std::memory_order_release);
  mine.client.reset();
  mine.upstream.reset();
  mine.reset[SONDE_WIRE_CLIENT] = mine.reset[SONDE_WIRE_UPSTREAM] = false;
  reset_peers(index, mine);
}

// A process that hands over may hold sockets of these ends until it has seen the phase: then once more later.
void KeeperWalk::reset_peers(std::uint32_t index, Tracked& mine) {
  const auto& connection = table_.at(index);
  auto& client = mine.reset[SONDE_WIRE_CLIENT];
  auto& upstream = mine.reset[SONDE_WIRE_UPSTREAM];
  if (client && upstream) return;
  const auto ends = ends_of(connection);
  client = client || reset(ends.proxy_to_client, ends.client, connection.sides[SONDE_WIRE_CLIENT]);
  upstream = upstream || reset(ends.proxy_to_upstream, ends.upstream, connection.sides[SONDE_WIRE_UPSTREAM]);
}

void KeeperWalk::finish(std::uint32_t index, Tracked& mine) {
  if (mine.unreserved) --unreserved_;
  mine = Tracked{};
  table_.free(index);
}

// Of a connection that is gone, or that another process keeps.
void KeeperWalk::release_sockets(std::uint32_t index) {
  auto* const mine = known(index);
  if (mine == nullptr) return;
  auto& connection = table_.at(index);
  const auto phase = phase_of(connection);
  const bool there = mine->id == connection.id && phase != SONDE_WIRE_FREE && phase != SONDE_WIRE_FREED;
  if (!there) {
    if (mine->unreserved) --unreserved_;
    *mine = Tracked{};
  } else if (phase == SONDE_WIRE_ABORTED) {  // who resets the peers makes sockets of these ends
    mine->client.reset();
    mine->upstream.reset();
  } else if (mine->client && now_ >= connection.spliced + client_socket_ns) {
    mine->client.reset();
  }
}

// Goes round, so that some that are not to be had keep nobody else waiting.
bool KeeperWalk::reserve(std::uint32_t failures_at_most) {
  const auto count = static_cast<std::uint32_t>(tracked_.size());
  std::uint32_t failures = 0;
  for (std::uint32_t i = 0; i < count && unreserved_ > 0 && failures < failures_at_most; ++i) {
    next_to_reserve_ = next_to_reserve_ + 1 < count ? next_to_reserve_ + 1 : 0;
    auto& mine = tracked_[next_to_reserve_];
    if (!mine.unreserved) continue;
    const auto ends = ends_of(table_.at(next_to_reserve_));
    auto reserved = reserve_socket(ends.proxy_to_upstream, ends.upstream);
    if (!reserved) {
      ++failures;
      continue;
    }
    mine.upstream = std::move(*reserved);
    mine.unreserved = false;
    --unreserved_;
  }
  return unreserved_ == 0;
}

std::uint32_t KeeperWalk::abort_all() {
  now_ = now_ns();
  std::uint32_t aborted = 0;
  const auto used = table_.used();
  for (std::uint32_t i = 0; i < used; ++i) {
    auto& connection = table_.at(i);
    if (phase_of(connection) != SONDE_WIRE_SPLICED) continue;
    auto& mine = tracked(i);
    if (mine.over_since != 0) continue;
    if (!mine.observed && connection.ended == 0) adopt(i, mine);
    if (!mine.observed && connection.ended == 0) continue;
    if (mine.observed) count(i);
    tell_end(i, mine, WireEndReason::aborted);
    ++aborted;
  }
  return aborted;
}

}  // namespace sonde::proxy
