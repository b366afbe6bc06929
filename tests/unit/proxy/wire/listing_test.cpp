// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/wire/listing.hpp"

#include <arpa/inet.h>
#include <endian.h>
#include <gtest/gtest.h>

#include <cstring>

namespace sonde::proxy {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t second = 1'000'000'000;

void set(std::uint32_t (&address)[4], const char* text) {
  std::memset(address, 0, sizeof(address));
  if (::inet_pton(AF_INET6, text, address) == 1) return;
  address[2] = htobe32(0xffff);
  EXPECT_EQ(::inet_pton(AF_INET, text, &address[3]), 1) << text;
}

// Joined at 100 s: an IPv6 client and an IPv4 upstream.
sonde_wire_connection element() {
  sonde_wire_connection element{};
  element.phase = SONDE_WIRE_SPLICED;
  element.id = 77;
  element.joined = 100 * second;
  auto& [from_client, from_upstream] = element.sides;
  set(from_client.source, "10.0.0.1");
  set(from_client.destination, "10.0.0.2");
  from_client.source_port = htobe16(40000);
  from_client.destination_port = htobe16(8443);
  from_client.start = 0xfffffff0U;
  from_client.position = 0x1'0000'0000ULL + 16;
  from_client.packets = 5;
  from_client.repeated = 2;
  from_client.last_seen = 103 * second;
  set(from_upstream.source, "2001:db8::1");
  set(from_upstream.destination, "2001:db8::7");
  from_upstream.source_port = htobe16(443);
  from_upstream.destination_port = htobe16(50000);
  from_upstream.start = 1000;
  from_upstream.position = 1000 + 5'000'000'000ULL;
  from_upstream.packets = 4'000'000;
  from_upstream.last_seen = 107 * second;
  return element;
}

TEST(WireListing, SaysWhoseConnectionItIsAndWhatWasCounted) {
  const auto described = describe_wire_connection(element(), 110 * second);
  ASSERT_TRUE(described);
  EXPECT_EQ(described->id, 77U);
  EXPECT_EQ(described->client.text(), "[2001:db8::7]:50000");
  EXPECT_EQ(described->listener.text(), "[2001:db8::1]:443");
  EXPECT_EQ(described->proxy.text(), "10.0.0.1:40000");
  EXPECT_EQ(described->upstream.text(), "10.0.0.2:8443");
  EXPECT_EQ(described->from_client.bytes, 32U) << "beyond the wrap of sequence numbers";
  EXPECT_EQ(described->from_client.packets, 5U);
  EXPECT_EQ(described->from_client.repeated, 2U);
  EXPECT_EQ(described->from_upstream.bytes, 5'000'000'000U);
  EXPECT_EQ(described->from_upstream.packets, 4'000'000U);
  EXPECT_EQ(described->age, 10s);
  EXPECT_EQ(described->idle, 3s);
  EXPECT_EQ(described->server_name + described->route, "");
}

TEST(WireListing, TimesAreNeverNegative) {
  auto young = element();
  young.sides[SONDE_WIRE_CLIENT].last_seen = 0;
  young.sides[SONDE_WIRE_UPSTREAM].last_seen = 0;
  EXPECT_EQ(describe_wire_connection(young, 101 * second)->idle, 1s) << "nothing has come: since it was joined";
  EXPECT_EQ(describe_wire_connection(element(), 99 * second)->age, 0s);
  EXPECT_EQ(describe_wire_connection(element(), 105 * second)->idle, 0s);
}

struct Case {
  std::uint32_t phase, client, upstream;  // sonde_wire_seen
  const char* state;                      // "": not listed
};

TEST(WireListing, StatesFollowFromPhaseAndEnds) {
  constexpr std::uint32_t fin = SONDE_WIRE_SAW_FIN, reset = SONDE_WIRE_SAW_RESET;
  const Case cases[] = {
      {SONDE_WIRE_FREE, 0, 0, ""},
      {SONDE_WIRE_TAKEN, 0, 0, ""},
      {SONDE_WIRE_FREED, fin, fin, ""},
      {SONDE_WIRE_JOINING, 0, 0, "joining"},
      {SONDE_WIRE_JOINING, fin, 0, "joining"},
      {SONDE_WIRE_SPLICED, 0, 0, "spliced"},
      {SONDE_WIRE_SPLICED, fin, 0, "half-closed"},
      {SONDE_WIRE_SPLICED, 0, fin | SONDE_WIRE_FIRST_FIN | SONDE_WIRE_FIN_ACKNOWLEDGED, "half-closed"},
      {SONDE_WIRE_SPLICED, fin, fin, "closing"},
      {SONDE_WIRE_SPLICED, reset, 0, "closing"},
      {SONDE_WIRE_SPLICED, 0, reset, "closing"},
      {SONDE_WIRE_ABORTED, fin, fin, "aborted"},
  };
  for (const auto& one : cases) {
    auto made = element();
    made.phase = one.phase;
    made.sides[SONDE_WIRE_CLIENT].seen = one.client;
    made.sides[SONDE_WIRE_UPSTREAM].seen = one.upstream;
    const auto described = describe_wire_connection(made, 110 * second);
    EXPECT_EQ(described ? proxy_wire_state_name(described->state) : std::string(), one.state)
        << one.phase << ' ' << one.client << ' ' << one.upstream;
  }
}

}  // namespace
}  // namespace sonde::proxy
