// SPDX-License-Identifier: Apache-2.0
// The runtime over packets of the test: what the detectors are shown, when, and that twice the same comes out.
#include "watch/runtime.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "export/security/security.hpp"
#include "fake_packets.hpp"
#include "flows/packet_flow_source.hpp"

namespace sonde::test {
namespace {

using watch::LocalAddresses;

constexpr std::array<std::uint8_t, 4> scanner = {10, 0, 0, 9};
constexpr std::array<std::uint8_t, 4> victim = {10, 0, 0, 2};

Bytes segment(bool from_scanner, std::uint16_t port, std::uint8_t flags) {
  return ethernet({}, ipv4({.source = from_scanner ? scanner : victim, .destination = from_scanner ? victim : scanner},
                           tcp({.source_port = from_scanner ? std::uint16_t{40'000} : port,
                                .destination_port = from_scanner ? port : std::uint16_t{40'000},
                                .flags = flags})));
}

// SYN and RST for each port, every 10 ms.
std::vector<TimedFrame> syn_scan(std::uint16_t ports, bool outbound = false) {
  const std::uint8_t there = outbound ? SONDE_DIRECTION_OUT : SONDE_DIRECTION_IN;
  const std::uint8_t back = outbound ? SONDE_DIRECTION_IN : SONDE_DIRECTION_OUT;
  std::vector<TimedFrame> frames;
  for (std::uint16_t i = 0; i < ports; ++i) {
    const auto at = start_ns + i * 10 * millisecond;
    const auto port = static_cast<std::uint16_t>(1 + i);
    frames.push_back({at, segment(true, port, 2), 1, there});
    frames.push_back({at + millisecond, segment(false, port, 0x14), 1, back});
  }
  return frames;
}

struct Watched {
  std::vector<SecurityEvent> events;
  LossReport loss;
  std::string json;
};

Watched replay(std::vector<TimedFrame> frames, const std::vector<std::string>& local = {}, std::size_t batch = 7) {
  Watched watched;
  watch::RuntimeOptions options;
  options.replay = true;
  options.local = *LocalAddresses::make(local, false);
  auto source = flows::make_packet_flows(make_fake_packets(std::move(frames), batch),
                                         {.replay_step = options.interval, .arp = true, .dns = true});
  watch::Runtime runtime(std::move(source), std::move(options), [&](SecurityEvent event) {
    watched.json += exporter::security_json(event) + "\n";
    watched.events.push_back(std::move(event));
  });
  while (!runtime.finished()) EXPECT_TRUE(runtime.step());
  watched.loss.stages = runtime.loss();
  return watched;
}

TEST(Runtime, AScanIsOneEventThatStartsAndEnds) {
  const auto watched = replay(syn_scan(200));
  ASSERT_GE(watched.events.size(), 2U);
  for (const auto& event : watched.events) EXPECT_EQ(event.id, 1U);
  const auto& first = watched.events.front();
  EXPECT_EQ(first.state, SecurityState::started);
  EXPECT_EQ(first.kind, SecurityKind::port_scan);
  EXPECT_EQ(first.method, "SYN");
  EXPECT_THAT(first.who, testing::ElementsAre("10.0.0.9"));
  EXPECT_EQ(first.interface, "eth0");
  EXPECT_FALSE(first.outbound);
  EXPECT_EQ(watched.events.back().state, SecurityState::ended);
}

TEST(Runtime, EveryPacketIsShownAndTheBooksBalance) {
  const auto watched = replay(syn_scan(50));
  ASSERT_EQ(watched.loss.stages.back().name, "detect");
  EXPECT_EQ(watched.loss.stages.back().given, 100U);
  EXPECT_TRUE(watched.loss.balanced());
}

// By the directions of the file, or by the word of the user, who knows better.
TEST(Runtime, WhatGoesOutIsOutbound) {
  EXPECT_TRUE(replay(syn_scan(100, true)).events.front().outbound);
  EXPECT_FALSE(replay(syn_scan(100)).events.front().outbound);
  EXPECT_TRUE(replay(syn_scan(100), {"10.0.0.9"}).events.front().outbound);
  EXPECT_FALSE(replay(syn_scan(100, true), {"10.0.0.2"}).events.front().outbound);
}

TEST(Runtime, TwiceTheSamePacketsAreTwiceTheSameEvents) {
  const auto once = replay(syn_scan(300), {}, 7);
  const auto again = replay(syn_scan(300), {}, 101);
  EXPECT_FALSE(once.json.empty());
  EXPECT_EQ(once.json, again.json);
}

TEST(Runtime, AnEmptyFileEnds) {
  const auto watched = replay({});
  EXPECT_TRUE(watched.events.empty());
  EXPECT_TRUE(watched.loss.balanced());
}

TEST(LocalAddresses, AreNetworksOfTheUserAndLoopbackOfTheHost) {
  const auto address = [](const char* text) {
    auto local = LocalAddresses::make({text}, false);
    return local && local->known();
  };
  EXPECT_TRUE(address("10.0.0.0/8"));
  EXPECT_TRUE(address("2001:db8::/32"));
  const auto wrong = LocalAddresses::make({"10.0.0.1/8"}, false);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().kind, ErrorKind::usage);
  EXPECT_THAT(wrong.error().text(), testing::HasSubstr("--local '10.0.0.1/8'"));
  const auto own = LocalAddresses::make({}, true);
  ASSERT_TRUE(own);
  EXPECT_TRUE(own->contains({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 53}));
  EXPECT_FALSE(own->contains({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1}));
  EXPECT_FALSE(LocalAddresses::make({}, false)->known());
}

}  // namespace
}  // namespace sonde::test
