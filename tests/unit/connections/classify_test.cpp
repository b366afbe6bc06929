// SPDX-License-Identifier: Apache-2.0
#include "sensors/connections/classify.hpp"

#include <gtest/gtest.h>
#include <netinet/tcp.h>

#include <cerrno>

namespace sonde::connections {
namespace {

struct Case {
  const char* what;
  std::uint8_t state;  ///< that the socket left
  int error;
  unsigned flags;
  ConnectionEnd end;
};

sonde_connection_event event_of(const Case& given) {
  sonde_connection_event event{};
  event.socket.state = given.state;
  event.error = given.error;
  event.flags = static_cast<std::uint8_t>(given.flags);
  return event;
}

constexpr unsigned both_fins = SONDE_CONNECTION_FIN_ACKED | SONDE_CONNECTION_FIN_RECEIVED;

constexpr Case closes[] = {
    {"we first, TIME_WAIT", TCP_FIN_WAIT2, 0, both_fins, ConnectionEnd::local_fin},
    {"we first, the peer's FIN is left to the TIME_WAIT socket", TCP_FIN_WAIT2, 0, SONDE_CONNECTION_FIN_ACKED,
     ConnectionEnd::local_fin},
    {"both at once", TCP_CLOSING, 0, both_fins, ConnectionEnd::local_fin},
    {"the peer first", TCP_LAST_ACK, 0, both_fins, ConnectionEnd::remote_fin},
    {"an old ICMP error that nobody has read", TCP_LAST_ACK, EHOSTUNREACH, both_fins, ConnectionEnd::remote_fin},
    {"RST in the open", TCP_ESTABLISHED, ECONNRESET, SONDE_CONNECTION_RESET_RECEIVED, ConnectionEnd::remote_reset},
    {"RST after the peer's FIN", TCP_CLOSE_WAIT, EPIPE, SONDE_CONNECTION_RESET_RECEIVED, ConnectionEnd::remote_reset},
    {"RST after our FIN", TCP_FIN_WAIT1, ECONNRESET, SONDE_CONNECTION_RESET_RECEIVED, ConnectionEnd::remote_reset},
    {"RST, no memory for the flag", TCP_ESTABLISHED, ECONNRESET, 0, ConnectionEnd::remote_reset},
    {"close with unread data or SO_LINGER 0", TCP_ESTABLISHED, 0, 0, ConnectionEnd::local_reset},
    {"the same after the peer's FIN", TCP_CLOSE_WAIT, 0, SONDE_CONNECTION_FIN_RECEIVED, ConnectionEnd::local_reset},
    {"ss --kill", TCP_ESTABLISHED, ECONNABORTED, SONDE_CONNECTION_RESET_SENT, ConnectionEnd::local_reset},
    {"data for a closed socket, by tcp_reset", TCP_FIN_WAIT1, ECONNRESET,
     SONDE_CONNECTION_RESET_RECEIVED | SONDE_CONNECTION_DATA_AFTER_CLOSE, ConnectionEnd::local_reset},
    {"data for a closed socket, with our FIN's acknowledgment", TCP_FIN_WAIT2, 0,
     SONDE_CONNECTION_FIN_ACKED | SONDE_CONNECTION_DATA_AFTER_CLOSE, ConnectionEnd::local_reset},
    {"FIN_WAIT2 for too long", TCP_FIN_WAIT2, 0, SONDE_CONNECTION_FIN_ACKED | SONDE_CONNECTION_RESET_SENT,
     ConnectionEnd::local_reset},
    {"retransmitted in vain", TCP_ESTABLISHED, ETIMEDOUT, 0, ConnectionEnd::timeout},
    {"retransmitted in vain, and ICMP had said why", TCP_ESTABLISHED, EHOSTUNREACH, 0, ConnectionEnd::timeout},
    {"keepalive: RST and ETIMEDOUT", TCP_ESTABLISHED, ETIMEDOUT, SONDE_CONNECTION_RESET_SENT, ConnectionEnd::timeout},
    {"FIN never acknowledged", TCP_LAST_ACK, ETIMEDOUT, SONDE_CONNECTION_FIN_RECEIVED, ConnectionEnd::timeout},
    {"FIN not acknowledged, no error", TCP_LAST_ACK, 0, SONDE_CONNECTION_FIN_RECEIVED, ConnectionEnd::unknown},
    {"moved away by TCP_REPAIR", TCP_ESTABLISHED, 0, SONDE_CONNECTION_REPAIR, ConnectionEnd::unknown},
};

constexpr Case failures[] = {
    {"RST to SYN", TCP_SYN_SENT, ECONNREFUSED, SONDE_CONNECTION_RESET_RECEIVED, ConnectionEnd::refused},
    {"ICMP port unreachable", TCP_SYN_SENT, ECONNREFUSED, 0, ConnectionEnd::unreachable},
    {"ICMP host unreachable, ARP", TCP_SYN_SENT, EHOSTUNREACH, 0, ConnectionEnd::unreachable},
    {"ICMPv6 administratively prohibited", TCP_SYN_SENT, EACCES, 0, ConnectionEnd::unreachable},
    {"black hole", TCP_SYN_SENT, ETIMEDOUT, 0, ConnectionEnd::connect_timeout},
    {"closed by the process", TCP_SYN_SENT, 0, 0, ConnectionEnd::aborted},
    {"ss --kill", TCP_SYN_SENT, ECONNABORTED, 0, ConnectionEnd::aborted},
    {"something new", TCP_SYN_SENT, EXDEV, 0, ConnectionEnd::unknown},
};

TEST(Classify, Closes) {
  for (const auto& given : closes) EXPECT_EQ(classify_close(event_of(given)), given.end) << given.what;
}

TEST(Classify, Failures) {
  for (const auto& given : failures) EXPECT_EQ(classify_failure(event_of(given)), given.end) << given.what;
}

sonde_tcp_counters counters_of(std::uint64_t acked, std::uint64_t sent, std::uint64_t again, std::uint32_t in_flight) {
  sonde_tcp_counters counters{};
  counters.bytes_acked = acked;
  counters.bytes_sent = sent;
  counters.bytes_retransmitted = again;
  counters.in_flight = in_flight;
  return counters;
}

TEST(Classify, TheSideThatConnectedHasItsSynAcknowledged) {
  EXPECT_EQ(infer_direction(counters_of(1, 0, 0, 0), 0), ConnectionDirection::outbound);
  EXPECT_EQ(infer_direction(counters_of(0, 0, 0, 0), 0), ConnectionDirection::inbound);
  EXPECT_EQ(infer_direction(counters_of(1001, 1000, 0, 0), 0), ConnectionDirection::outbound);
  EXPECT_EQ(infer_direction(counters_of(1000, 1200, 200, 0), 0), ConnectionDirection::inbound);
  EXPECT_EQ(infer_direction(counters_of(601, 1000, 0, 400), 0), ConnectionDirection::outbound);
}

TEST(Classify, OurFinIsNoSyn) {
  EXPECT_EQ(infer_direction(counters_of(1001, 1000, 0, 0), SONDE_CONNECTION_FIN_ACKED), ConnectionDirection::inbound);
  EXPECT_EQ(infer_direction(counters_of(1002, 1000, 0, 0), SONDE_CONNECTION_FIN_ACKED), ConnectionDirection::outbound);
}

// A segment that the qdisc refused is sent again as new: counted twice.
TEST(Classify, SegmentsLostBeforeTheyLeftGiveNoDirection) {
  EXPECT_EQ(infer_direction(counters_of(1001, 2448, 0, 0), 0), ConnectionDirection::unknown);
}

TEST(Classify, PayloadIsWithoutSynAndFin) {
  EXPECT_EQ(payload_sent(counters_of(102, 0, 0, 0), SONDE_CONNECTION_FIN_ACKED, ConnectionDirection::outbound), 100U);
  EXPECT_EQ(payload_sent(counters_of(101, 0, 0, 0), SONDE_CONNECTION_FIN_ACKED, ConnectionDirection::inbound), 100U);
  EXPECT_EQ(payload_sent(counters_of(101, 0, 0, 0), 0, ConnectionDirection::outbound), 100U);
  EXPECT_EQ(payload_sent(counters_of(0, 0, 0, 0), 0, ConnectionDirection::outbound), 0U);
  sonde_tcp_counters counters{};
  counters.bytes_received = 51;
  EXPECT_EQ(payload_received(counters, SONDE_CONNECTION_FIN_RECEIVED), 50U);
  EXPECT_EQ(payload_received(counters, 0), 51U);
}

}  // namespace
}  // namespace sonde::connections
