// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/forward/hand_over.hpp"

#include <algorithm>

namespace sonde::proxy {
namespace {

// The first time after a turn of the timer wheel, then twice as long each time.
constexpr std::uint16_t shortest_delay_ms = 8;
constexpr std::uint16_t longest_delay_ms = 1024;

// What stands in the way now, and may not soon.
bool may_pass(sonde_wire_verdict verdict) { return verdict == SONDE_WIRE_OUT_OF_ORDER || verdict == SONDE_WIRE_UNSENT; }

}  // namespace

void HandOver::delay(Clock::time_point now) {
  delay_ms_ = std::min<std::uint16_t>(std::max<std::uint16_t>(delay_ms_ * 2, shortest_delay_ms), longest_delay_ms);
  next_try_ = now + std::chrono::milliseconds{delay_ms_};
}

void HandOver::join(const WireJoin& request, Clock::time_point now) {
  const auto verdict = wire_->join(request, index_);
  if (verdict == SONDE_WIRE_JOINED) {
    phase_ = Phase::joining;
    delay_ms_ = 0;
  } else if (!may_pass(verdict)) {
    phase_ = Phase::declined;
    return;
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
