// SPDX-License-Identifier: Apache-2.0
#include "sensors/retransmissions/decode.hpp"

#include <gtest/gtest.h>

#include <cstring>

namespace sonde::retransmissions {
namespace {

std::string reason(std::uint32_t number) { return "R" + std::to_string(number); }
std::string function(std::uint64_t address) { return address == 99 ? "packet_rcv" : "f" + std::to_string(address); }
constexpr KernelNames names{reason, function};

sonde_retransmission_event sample() {
  sonde_retransmission_event event{};
  event.header = {60'000'000'000, sizeof(event), SONDE_EVENT_RETRANSMISSION, 0};
  event.source = SONDE_RETRANSMIT_SKB;
  event.socket.local_port = 40'000;
  event.socket.remote_port = 443;
  event.socket.local_address[15] = 1;
  event.socket.remote_address[15] = 2;
  event.socket.state = 1;
  event.socket.protocol = 6;
  event.socket.network_namespace = 4026531840;
  event.sequence = 0xffffff00;
  event.end_sequence = 0x100;
  event.segments = 2;
  event.rto_jiffies = 53;
  event.jiffies = (1ULL << 32) - 300 * 250 + 60 * 250;
  return event;
}

Retransmission decoded(const sonde_retransmission_event& event) { return decode(event, WallClock(), names); }

TEST(Decode, TheMembers) {
  const auto event = decoded(sample());
  EXPECT_EQ(event.socket.local.text(), "[::1]:40000");
  EXPECT_EQ(event.socket.remote.text(), "[::2]:443");
  EXPECT_EQ(event.socket.network_namespace, 4026531840U);
  EXPECT_EQ(event.sequence, 0xffffff00U);
  EXPECT_EQ(event.end_sequence, 0x100U);
  EXPECT_EQ(event.segments, 2U);
  EXPECT_EQ(event.rto_ms, 212U);
  EXPECT_FALSE(event.local_drop);
  EXPECT_EQ(event.error, 0);
}

TEST(Decode, ErrorsAndTheQueuesRefusal) {
  auto record = sample();
  record.error = -113;
  EXPECT_EQ(decoded(record).error, 113);
  record.error = 1;
  EXPECT_EQ(decoded(record).error, -1);
}

TEST(Decode, ALocalDropHasNamesAndTime) {
  auto record = sample();
  record.drop = {59'000'000'000, 7, 12, 3, 55, 0, "veth0"};
  const auto event = decoded(record);
  ASSERT_TRUE(event.local_drop);
  EXPECT_EQ(event.local_drop->reason, "R12");
  EXPECT_EQ(event.local_drop->function, "f7");
  EXPECT_EQ(event.local_drop->interface, "veth0");
  EXPECT_EQ(event.local_drop->ifindex, 3U);
  EXPECT_EQ(event.local_drop->network_namespace, 55U);
  EXPECT_EQ(event.wall_ns - event.local_drop->wall_ns, 1'000'000'000);
}

TEST(Decode, ACopyForAPacketSocketWasNotTheLoss) {
  auto record = sample();
  record.drop = {59'000'000'000, 99, 12, 3, 55, 0, "veth0"};
  EXPECT_FALSE(decoded(record).local_drop);
}

TEST(Decode, WhatIsNoRecordIsRefused) {
  const auto record = sample();
  std::vector<std::uint8_t> bytes(sizeof(record));
  std::memcpy(bytes.data(), &record, sizeof(record));
  EXPECT_TRUE(read_record(bytes));
  bytes.pop_back();
  EXPECT_FALSE(read_record(bytes));
  auto other = record;
  other.header.type = SONDE_EVENT_DROP;
  bytes.resize(sizeof(other));
  std::memcpy(bytes.data(), &other, sizeof(other));
  EXPECT_FALSE(read_record(bytes));
}

}  // namespace
}  // namespace sonde::retransmissions
