// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sonde/endpoint.hpp"
#include "sonde/export.hpp"
#include "sonde/owner.hpp"
#include "sonde/result.hpp"

namespace sonde {

enum class ConnectionEvent : std::uint8_t { opened, failed, closed, open /**< snapshot */ };
enum class ConnectionDirection : std::uint8_t { unknown, outbound, inbound };

/// How a connection ended, or why it never was.
enum class ConnectionEnd : std::uint8_t {
  none,             ///< still open
  local_fin,        ///< closed in order, we first
  remote_fin,       ///< closed in order, the peer first
  local_reset,      ///< we sent RST
  remote_reset,     ///< the peer sent RST
  timeout,          ///< the peer stopped answering (retransmissions, keepalive)
  refused,          ///< RST in answer to SYN
  connect_timeout,  ///< SYN never answered
  unreachable,      ///< no route, or ICMP said so
  aborted,          ///< given up locally before it was established
  unknown,
};

/// A TCP connection (in snapshots also UDP and listening sockets), at one point of its life.
struct SONDE_EXPORT Connection {
  std::int64_t wall_ns = 0;  ///< of the event, nanoseconds since 1970-01-01 UTC
  ConnectionEvent event = ConnectionEvent::opened;
  ConnectionDirection direction = ConnectionDirection::unknown;
  ConnectionEnd end = ConnectionEnd::none;
  int error = 0;  ///< errno the application sees; 0: none
  Socket socket;
  SocketOwner owner;
  std::optional<std::chrono::nanoseconds> connect_latency;  ///< SYN to established; outbound only
  std::optional<std::chrono::nanoseconds> duration;         ///< since established (or SYN); unset: older than sonde
  std::uint64_t bytes_sent = 0;                             ///< acknowledged by the peer
  std::uint64_t bytes_received = 0;
  std::uint32_t segments_sent = 0;
  std::uint32_t segments_received = 0;
  std::uint32_t retransmissions = 0;  ///< segments
  std::uint32_t smoothed_rtt_us = 0;  ///< 0: none measured
};

[[nodiscard]] SONDE_EXPORT const char* connection_event_name(ConnectionEvent event);
[[nodiscard]] SONDE_EXPORT const char* connection_direction_name(ConnectionDirection direction);
[[nodiscard]] SONDE_EXPORT const char* connection_end_name(ConnectionEnd end);

}  // namespace sonde
