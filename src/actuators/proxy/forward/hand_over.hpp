// SPDX-License-Identifier: Apache-2.0
// When a relay gives its connection to the wire, and how far that has come.
#pragma once
#include <chrono>
#include <cstdint>

#include "actuators/proxy/loop/loop.hpp"
#include "actuators/proxy/path/path.hpp"
#include "actuators/proxy/wire/wire.hpp"

namespace sonde::proxy {

class HandOver {
 public:
  /// `wire` may be null: never.
  HandOver(Wire* wire, std::uint64_t after_bytes, Clock::duration after, Clock::time_point now)
      : wire_(wire), after_bytes_(after_bytes), after_(now + after) {}

  /// Whether it is time to join. `carried`: bytes so far, both ways. Cheap.
  [[nodiscard]] bool is_due(std::uint64_t carried, Clock::time_point now) const {
    return phase_ == Phase::waiting && wire_ != nullptr && (carried >= after_bytes_ || now >= after_) &&
           now >= next_try_;
  }
  /// Packets take the wire from now on, or it is tried again later, or never. A direction that holds too much gets no
  /// more room to send for a while, so that what is held drains: then there is a moment to join, however much the peer
  /// sends. If the other side does not read, that moment does not come, and the peer has its room again for a longer
  /// while.
  void join(const WireJoin& request, Clock::time_point now);
  /// Peers have had time to use their room; those that have not do not send much.
  [[nodiscard]] bool insists(Clock::time_point now) const;
  /// Not any more, if it has not joined: one of the streams has ended.
  void give_up(int client_fd, int upstream_fd);
  [[nodiscard]] bool is_joining() const { return phase_ == Phase::joining; }
  /// Peers wait for room: join() must be tried again at next_try(), whether bytes come or not.
  [[nodiscard]] bool holds_up() const { return phase_ == Phase::waiting && held_since_ != Clock::time_point{}; }
  /// When to call settle().
  [[nodiscard]] Clock::time_point next_try() const { return next_try_; }
  /// The sockets are frozen. False: not yet.
  [[nodiscard]] bool settle(int client_fd, int upstream_fd, Clock::time_point now);
  void abort(int client_fd, int upstream_fd) { wire_->abort(index_, client_fd, upstream_fd); }

  [[nodiscard]] std::uint32_t index() const { return index_; }
  /// By the wire, since it was joined.
  [[nodiscard]] Carried carried() const;

 private:
  enum class Phase : std::uint8_t { waiting, joining, declined };

  Wire* wire_;
  std::uint64_t after_bytes_;
  Clock::time_point after_;
  Clock::time_point next_try_{};
  std::uint32_t index_ = 0;
  std::uint16_t delay_ms_ = 0;
  Clock::time_point held_since_{};  ///< zero: peers have all room
  Phase phase_ = Phase::waiting;

  void delay(Clock::time_point now);
  void hold_up(const WireJoin& request, const WireExcess& excess, Clock::time_point now);
  void let_go(int client_fd, int upstream_fd);
};

}  // namespace sonde::proxy
