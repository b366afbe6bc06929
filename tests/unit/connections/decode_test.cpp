// SPDX-License-Identifier: Apache-2.0
#include "sensors/connections/decode.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/tcp.h>

#include <cerrno>
#include <cstring>

namespace sonde::connections {
namespace {

using std::chrono::nanoseconds;

sonde_connection_event sample(std::uint8_t kind) {
  sonde_connection_event event{};
  event.header = {5'000'000'000, sizeof(event), SONDE_EVENT_CONNECTION, 0};
  event.kind = kind;
  event.direction = SONDE_CONNECTION_OUTBOUND;
  event.syn_ns = 1'000'000'000;
  event.established_ns = 1'500'000'000;
  event.socket.state = TCP_FIN_WAIT2;
  event.socket.protocol = IPPROTO_TCP;
  event.socket.local_port = 40'000;
  event.socket.remote_port = 443;
  ::inet_pton(AF_INET6, "::ffff:10.0.0.1", event.socket.local_address);
  ::inet_pton(AF_INET6, "2001:db8::1", event.socket.remote_address);
  event.flags = SONDE_CONNECTION_FIN_ACKED | SONDE_CONNECTION_FIN_RECEIVED;
  event.counters.bytes_acked = 102;
  event.counters.bytes_received = 51;
  event.counters.segments_sent = 7;
  event.counters.segments_received = 6;
  event.counters.retransmissions = 2;
  event.counters.smoothed_rtt_us = 321;
  return event;
}

TEST(Decode, AClosedConnection) {
  const WallClock clock;
  const auto connection = connection_from(sample(SONDE_CONNECTION_CLOSED), clock);
  EXPECT_EQ(connection.event, ConnectionEvent::closed);
  EXPECT_EQ(connection.direction, ConnectionDirection::outbound);
  EXPECT_EQ(connection.end, ConnectionEnd::local_fin);
  EXPECT_EQ(connection.wall_ns, clock.wall_ns(5'000'000'000));
  EXPECT_EQ(connection.duration, nanoseconds(3'500'000'000));
  EXPECT_EQ(connection.connect_latency, nanoseconds(500'000'000));
  EXPECT_EQ(connection.bytes_sent, 100U);
  EXPECT_EQ(connection.bytes_received, 50U);
  EXPECT_EQ(connection.segments_sent, 7U);
  EXPECT_EQ(connection.segments_received, 6U);
  EXPECT_EQ(connection.retransmissions, 2U);
  EXPECT_EQ(connection.smoothed_rtt_us, 321U);
  EXPECT_EQ(connection.socket.local.text(), "10.0.0.1:40000");
  EXPECT_EQ(connection.socket.remote.text(), "[2001:db8::1]:443");
}

TEST(Decode, AFailureLastsSinceItsSyn) {
  auto event = sample(SONDE_CONNECTION_FAILED);
  event.socket.state = TCP_SYN_SENT;
  event.established_ns = 0;
  event.error = ETIMEDOUT;
  const auto connection = connection_from(event, WallClock());
  EXPECT_EQ(connection.end, ConnectionEnd::connect_timeout);
  EXPECT_EQ(connection.error, ETIMEDOUT);
  EXPECT_EQ(connection.duration, nanoseconds(4'000'000'000));
  EXPECT_FALSE(connection.connect_latency);
}

TEST(Decode, WhatIsOlderThanSondeHasNoTimes) {
  auto event = sample(SONDE_CONNECTION_CLOSED);
  event.syn_ns = event.established_ns = 0;
  event.direction = SONDE_CONNECTION_UNDIRECTED;
  event.counters.bytes_sent = 100;
  const auto connection = connection_from(event, WallClock());
  EXPECT_FALSE(connection.duration);
  EXPECT_FALSE(connection.connect_latency);
  EXPECT_EQ(connection.direction, ConnectionDirection::outbound) << "the SYN is counted";
  EXPECT_EQ(connection.bytes_sent, 100U);
}

TEST(Decode, UnderRepairTimesSayNothing) {
  auto event = sample(SONDE_CONNECTION_OPENED);
  event.flags = SONDE_CONNECTION_REPAIR;
  EXPECT_FALSE(connection_from(event, WallClock()).connect_latency);
}

TEST(Decode, RecordsThatAreNone) {
  const auto event = sample(SONDE_CONNECTION_CLOSED);
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(&event);
  EXPECT_TRUE(read_record({bytes, sizeof(event)}));
  EXPECT_FALSE(read_record({bytes, sizeof(event) - 1}));
  auto other_type = event;
  other_type.header.type = SONDE_EVENT_DROP;
  EXPECT_FALSE(read_record({reinterpret_cast<const std::uint8_t*>(&other_type), sizeof(event)}));
  auto other_kind = event;
  other_kind.kind = 9;
  EXPECT_FALSE(read_record({reinterpret_cast<const std::uint8_t*>(&other_kind), sizeof(event)}));
}

TEST(Decode, OpenSockets) {
  sonde_open_socket open{};
  open.socket.protocol = IPPROTO_TCP;
  open.socket.state = TCP_ESTABLISHED;
  open.counters.bytes_acked = 11;
  open.counters.bytes_sent = 10;
  auto connection = connection_from(open, 77);
  EXPECT_EQ(connection.event, ConnectionEvent::open);
  EXPECT_EQ(connection.wall_ns, 77);
  EXPECT_EQ(connection.direction, ConnectionDirection::outbound);
  EXPECT_EQ(connection.bytes_sent, 10U);
  open.socket.state = TCP_LISTEN;
  EXPECT_EQ(connection_from(open, 77).direction, ConnectionDirection::unknown);
  open.kind = SONDE_OPEN_REQUEST;
  EXPECT_EQ(connection_from(open, 77).direction, ConnectionDirection::inbound);
}

}  // namespace
}  // namespace sonde::connections
