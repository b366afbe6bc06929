// SPDX-License-Identifier: Apache-2.0
#include "sensors/drops/tuple_owners.hpp"

#include <gtest/gtest.h>
#include <netinet/in.h>

#include <vector>

namespace sonde::drops {
namespace {

using Clock = TupleOwners::Clock;

sonde_drop_event drop_without_socket() {
  sonde_drop_event drop{};
  drop.network_namespace = 4711;
  drop.header.ifindex = 7;
  drop.owner.reason = SONDE_REASON_NO_SOCKET;
  return drop;
}

sonde_packet_event packet(std::uint8_t protocol, sonde_direction direction) {
  sonde_packet_event event{};
  event.protocol = protocol;
  event.direction = static_cast<std::uint8_t>(direction);
  event.flags = SONDE_PACKET_IPV4 | SONDE_PACKET_PORTS;
  event.source_address[15] = 1;
  event.destination_address[15] = 2;
  event.source_port = 1000;
  event.destination_port = 2000;
  return event;
}

TEST(TupleQuestion, OfAReceivedPacketIsAboutItsDestination) {
  const auto question =
      tuple_question(drop_without_socket(), packet(IPPROTO_UDP, SONDE_DIRECTION_IN), TupleTrust::full);
  ASSERT_TRUE(question);
  EXPECT_EQ(question->network_namespace, 4711U);
  EXPECT_EQ(question->ifindex, 7U);
  EXPECT_EQ(question->tuple.local_address[15], 2);
  EXPECT_EQ(question->tuple.remote_address[15], 1);
  EXPECT_EQ(question->tuple.local_port, htons(2000));
  EXPECT_EQ(question->tuple.remote_port, htons(1000));
  EXPECT_EQ(question->tuple.exact, 0);
}

TEST(TupleQuestion, OfASentPacketIsAboutItsSourceAndExact) {
  auto sent = packet(IPPROTO_TCP, SONDE_DIRECTION_OUT);
  sent.tcp_flags = 0x10;
  auto question = tuple_question(drop_without_socket(), sent, TupleTrust::full);
  ASSERT_TRUE(question);
  EXPECT_EQ(question->tuple.local_port, htons(1000));
  EXPECT_EQ(question->tuple.exact, 1);
  sent.tcp_flags = 0x12;
  question = tuple_question(drop_without_socket(), sent, TupleTrust::full);
  ASSERT_TRUE(question);
  EXPECT_EQ(question->tuple.exact, 0) << "a listener answers a SYN";
}

TEST(TupleQuestion, IsNotAskedWhereTheAnswerCouldBeWrong) {
  const auto received = packet(IPPROTO_UDP, SONDE_DIRECTION_IN);
  EXPECT_FALSE(tuple_question(drop_without_socket(), received, TupleTrust::none));
  EXPECT_FALSE(tuple_question(drop_without_socket(), packet(IPPROTO_UDP, SONDE_DIRECTION_OUT), TupleTrust::full));
  EXPECT_FALSE(tuple_question(drop_without_socket(), packet(IPPROTO_ICMP, SONDE_DIRECTION_IN), TupleTrust::full));
  auto drop = drop_without_socket();
  drop.forwarded = 1;
  EXPECT_FALSE(tuple_question(drop, packet(IPPROTO_TCP, SONDE_DIRECTION_OUT), TupleTrust::full));
  drop = drop_without_socket();
  drop.network_namespace = 0;
  EXPECT_FALSE(tuple_question(drop, received, TupleTrust::full));
  drop = drop_without_socket();
  drop.owner.reason = SONDE_REASON_TIME_WAIT;
  EXPECT_FALSE(tuple_question(drop, received, TupleTrust::full));
  auto without_ports = received;
  without_ports.flags = SONDE_PACKET_IPV4;
  EXPECT_FALSE(tuple_question(drop_without_socket(), without_ports, TupleTrust::full));
  const auto damaged = tuple_question(drop_without_socket(), received, TupleTrust::connected_only);
  ASSERT_TRUE(damaged);
  EXPECT_EQ(damaged->tuple.exact, 1);
}

/// A kernel that knows the sockets of even local ports.
struct FakeKernel {
  int asked = 0;

  TupleOwners::Ask ask() {
    return [this](const TupleQuestion& question) -> std::optional<sonde_socket_owner> {
      ++asked;
      if (question.tuple.local_port % 2 != 0) return std::nullopt;
      sonde_socket_owner owner{};
      owner.method = SONDE_METHOD_SK_STORAGE;
      owner.user.pid = question.tuple.local_port;
      return owner;
    };
  }
};

TupleQuestion about(std::uint16_t port) {
  TupleQuestion question;
  question.tuple.local_port = port;
  return question;
}

TEST(TupleOwners, SayHowTheyWereFound) {
  FakeKernel kernel;
  TupleOwners owners(kernel.ask());
  const auto now = Clock::now();
  const auto known = owners.find(about(2), now);
  EXPECT_EQ(known.method, SONDE_METHOD_TUPLE);
  EXPECT_EQ(known.user.pid, 2U);
  const auto unknown = owners.find(about(3), now);
  EXPECT_EQ(unknown.method, SONDE_METHOD_NONE);
  EXPECT_EQ(unknown.reason, SONDE_REASON_NO_SOCKET);
}

TEST(TupleOwners, AnswersHoldForAShortTime) {
  FakeKernel kernel;
  TupleOwners owners(kernel.ask());
  const auto start = Clock::now();
  for (int i = 0; i < 1000; ++i) (void)owners.find(about(2), start);
  EXPECT_EQ(kernel.asked, 1);
  (void)owners.find(about(2), start + TupleOwners::holds);
  EXPECT_EQ(kernel.asked, 2);
}

TEST(TupleOwners, AreBoundedInRateAndNumber) {
  FakeKernel kernel;
  TupleOwners owners(kernel.ask());
  const auto start = Clock::now();
  for (std::uint16_t port = 0; port < 5000; ++port) (void)owners.find(about(port), start);
  EXPECT_EQ(kernel.asked, 1000);
  EXPECT_EQ(owners.left_out(), 4000U);
  EXPECT_EQ(owners.find(about(4998), start).method, SONDE_METHOD_NONE);
  EXPECT_EQ(owners.find(about(4998), start + std::chrono::seconds{1}).method, SONDE_METHOD_TUPLE);
}

}  // namespace
}  // namespace sonde::drops
