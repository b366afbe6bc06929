// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/forward/hand_over.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <limits>

namespace sonde::proxy {
namespace {

// The first time after a turn of the timer wheel, then twice as long each time.
constexpr std::uint16_t shortest_delay_ms = 8;
constexpr std::uint16_t longest_delay_ms = 1024;
// A direction that drains is looked at so often, at most so long; then it is left alone for a while, longer each time.
constexpr auto drain_delay = std::chrono::milliseconds{1};
constexpr auto long_enough = std::chrono::milliseconds{10};
constexpr auto longest_drain = std::chrono::milliseconds{100};
constexpr std::uint16_t delay_after_drain_ms = 500;
constexpr std::uint16_t longest_delay_after_drain_ms = 16'000;

// How much the peer may send beyond what it has been told already: the window never shrinks (RFC 9293 3.8). The kernel
// raises it again as bytes are read, so it is said again.
void limit_window(int fd, int bytes) { ::setsockopt(fd, IPPROTO_TCP, TCP_WINDOW_CLAMP, &bytes, sizeof(bytes)); }

}  // namespace

void HandOver::delay(Clock::time_point now) {
  delay_ms_ = std::min<std::uint16_t>(std::max<std::uint16_t>(delay_ms_ * 2, shortest_delay_ms), longest_delay_ms);
  next_try_ = now + std::chrono::milliseconds{delay_ms_};
}

void HandOver::let_go(int client_fd, int upstream_fd) {
  if (held_since_ == Clock::time_point{}) return;
  held_since_ = {};
  limit_window(client_fd, std::numeric_limits<int>::max());
  limit_window(upstream_fd, std::numeric_limits<int>::max());
}

void HandOver::hold_up(const WireJoin& request, const WireExcess& excess, Clock::time_point now) {
  if (held_since_ == Clock::time_point{}) held_since_ = now;
  next_try_ = now + drain_delay;
  if (now - held_since_ < longest_drain) {
    if (excess.to_upstream) limit_window(request.client_fd, 1);
    if (excess.to_client) limit_window(request.upstream_fd, 1);
    return;
  }
  let_go(request.client_fd, request.upstream_fd);
  delay_ms_ = std::clamp<std::uint16_t>(delay_ms_ * 2, delay_after_drain_ms, longest_delay_after_drain_ms);
  next_try_ = now + std::chrono::milliseconds{delay_ms_};
}

bool HandOver::insists(Clock::time_point now) const { return holds_up() && now - held_since_ >= long_enough; }

void HandOver::give_up(int client_fd, int upstream_fd) {
  if (phase_ != Phase::waiting) return;
  phase_ = Phase::declined;
  let_go(client_fd, upstream_fd);
}

void HandOver::join(const WireJoin& request, Clock::time_point now) {
  WireExcess excess;
  const auto verdict = wire_->join(request, index_, &excess);
  if (verdict == SONDE_WIRE_UNSENT || (verdict == SONDE_WIRE_OUT_OF_ORDER && holds_up()))
    return hold_up(request, excess, now);
  if (verdict == SONDE_WIRE_JOINED) {
    // From now on it is the receivers that tell senders of room.
    limit_window(request.client_fd, 1);
    limit_window(request.upstream_fd, 1);
    phase_ = Phase::joining;
    delay_ms_ = 0;
  } else if (verdict != SONDE_WIRE_OUT_OF_ORDER) {
    return give_up(request.client_fd, request.upstream_fd);
  }
  delay(now);
}

bool HandOver::settle(int client_fd, int upstream_fd, Clock::time_point now) {
  if (wire_->settle(index_, client_fd, upstream_fd)) return true;
  delay(now);
  return false;
}

Carried HandOver::carried() const {
  const auto& connection = wire_->table().at(index_);
  return {wire_bytes(connection.sides[SONDE_WIRE_CLIENT]), wire_bytes(connection.sides[SONDE_WIRE_UPSTREAM])};
}

}  // namespace sonde::proxy
