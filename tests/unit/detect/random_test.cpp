// SPDX-License-Identifier: Apache-2.0
// Whatever detectors are shown, they neither crash nor grow without bound.
#include <gtest/gtest.h>
#include <malloc.h>

#include <limits>

#include "corpus/random.hpp"
#include "corpus/scenes.hpp"
#include "event_text.hpp"

namespace sonde::detect {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool counts_memory = false;
constexpr int rounds = 30;
#else
constexpr bool counts_memory = true;
constexpr int rounds = 200;
#endif

std::size_t used_bytes() {
  const auto info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

using corpus::Random;

Address random_address(Random& random, std::uint32_t range) {
  if (random.chance(0.1)) {
    Address address{};
    for (auto& byte : address) byte = static_cast<std::uint8_t>(random.next());
    return address;
  }
  return corpus::ipv4(0x0a000000 + random.between(0, range));
}

std::int64_t random_time(Random& random, std::int64_t now) {
  if (random.chance(0.01)) return static_cast<std::int64_t>(random.next());
  if (random.chance(0.01)) return std::numeric_limits<std::int64_t>::min();
  return now + random.between(0, 1'000'000'000);
}

FlowSight random_flow(Random& random, std::int64_t now, std::uint32_t range) {
  static constexpr std::uint8_t protocols[] = {6, 6, 6, 17, 17, 17, 1, 58, 132, 47, 255, 0};
  static constexpr std::uint16_t ports[] = {0, 22, 53, 80, 123, 443, 1900, 11211, 33434, 65535};
  FlowSight flow;
  const auto port = [&] {
    return random.chance(0.5) ? ports[random.between(0, 9)] : static_cast<std::uint16_t>(random.next());
  };
  const auto count = [&]() -> std::uint64_t {
    if (random.chance(0.01)) return random.next();
    return random.between(0, random.chance(0.2) ? 100'000 : 4);
  };
  flow.id = random.next();
  flow.wall_ns = random_time(random, now);
  flow.first_wall_ns = random_time(random, now);
  flow.protocol = protocols[random.between(0, 11)];
  for (std::size_t side = 0; side < 2; ++side) {
    flow.endpoints[side] = {random_address(random, range), port()};
    flow.delta[side] = {count(), count()};
    flow.total[side] = random.chance(0.7) ? flow.delta[side] : Count{count(), count()};
    flow.tcp_flags[side] = static_cast<std::uint8_t>(random.chance(0.5) ? random.next() : random.between(0, 31));
    flow.hop_limit[side] = static_cast<std::uint8_t>(random.next());
    flow.local[side] = random.chance(0.5);
  }
  flow.is_new = random.chance(0.7);
  flow.start_seen = random.chance(0.6);
  flow.unreachable = random.chance(0.2);
  flow.end = static_cast<FlowEnd>(random.between(0, 4));
  static const std::shared_ptr<const SocketOwner> owners[] = {
      corpus::program("/bin/a", 1), corpus::program("/bin/b", 2), nullptr, std::make_shared<SocketOwner>()};
  flow.owner = owners[random.between(0, 3)].get();
  flow.country = random.chance(0.5) ? "DE" : "";
  flow.interface = "eth0";
  return flow;
}

ArpSight random_arp(Random& random, std::int64_t now, std::uint32_t range) {
  ArpSight arp{.wall_ns = random_time(random, now), .reply = random.chance(0.6)};
  arp.sender_mac[5] = static_cast<std::uint8_t>(random.next());
  arp.sender_mac[4] = static_cast<std::uint8_t>(random.between(0, range >> 8 & 255));
  arp.frame_source = random.chance(0.9)
                         ? arp.sender_mac
                         : std::array<std::uint8_t, 6>{1, 2, 3, 4, 5, static_cast<std::uint8_t>(random.next())};
  arp.sender_address = random_address(random, range);
  arp.target_address = random_address(random, range);
  return arp;
}

TEST(Random, SightsDoNoHarm) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    Random random(seed);
    Detectors detectors{SecurityConfig{}};
    const auto before = used_bytes();
    std::size_t events = 0;
    const Report report = [&](const SecurityEvent& event) {
      ++events;
      EXPECT_LE(event.flows.size(), 5U);
      EXPECT_FALSE(text_of(event).empty());
    };
    std::int64_t now = corpus::epoch_ns;
    for (int round = 0; round < rounds; ++round, now += 500'000'000) {
      const auto range = round % 3 == 0 ? 20U : round % 3 == 1 ? 3000U : 0xffffffU;
      for (int i = 0; i < 4000; ++i) detectors.observe(random_flow(random, now, range), report);
      for (int i = 0; i < 500; ++i) detectors.observe(random_arp(random, now, range), report);
      for (int i = 0; i < 500; ++i) {
        std::string name;
        const auto length = random.between(0, 250);
        for (std::uint32_t k = 0; k < length; ++k) name += random.chance(0.1) ? '.' : static_cast<char>(random.next());
        DnsSight dns{
            .wall_ns = random_time(random, now), .name = name, .type = static_cast<std::uint16_t>(random.next())};
        dns.client.address = random_address(random, range);
        dns.response = random.chance(0.3);
        detectors.observe(dns, report);
      }
      // Time goes back, and jumps.
      const auto at =
          random.chance(0.05) ? static_cast<std::int64_t>(random.next() >> 8) : now - random.between(0, 2'000'000'000);
      detectors.advance(round % 50 == 49 ? at : now, report);
    }
    if (counts_memory) {
      EXPECT_LT(used_bytes() - before, 160U << 20) << "seed " << seed;
    }
    detectors.finish(now, report);
    EXPECT_GT(events, 0U);
  }
}

/// Millions of forged addresses, and a port scan that is found in spite of them.
TEST(Random, ForgedAddressesTakeNoMemoryAndHideNoScan) {
  Random random(4);
  Detectors detectors{SecurityConfig{}};
  bool found = false;
  const Report report = [&](const SecurityEvent& event) {
    found |= event.kind == SecurityKind::port_scan && event.who.front() == "192.0.2.66";
  };
  const auto before = used_bytes();
  std::int64_t now = corpus::epoch_ns;
  std::uint16_t port = 1;
  const auto show = [&](const Address& source, std::uint16_t to) {
    FlowSight flow;
    flow.protocol = 6;
    flow.wall_ns = flow.first_wall_ns = now;
    flow.endpoints = {Endpoint{source, 50'000}, Endpoint{corpus::host, to}};
    flow.delta[0] = flow.total[0] = {1, 60};
    flow.tcp_flags = {2, 0};
    flow.is_new = flow.start_seen = true;
    detectors.observe(flow, report);
  };
  for (int round = 0; round < rounds; ++round, now += 500'000'000) {
    for (int i = 0; i < 5000; ++i)
      show(corpus::ipv4(static_cast<std::uint32_t>(random.next() | 0x40000000) & 0x7fffffff), 80);
    show(corpus::ipv4(192, 0, 2, 66), port++);
    detectors.advance(now, report);
  }
  if (counts_memory) {
    EXPECT_LT(used_bytes() - before, 24U << 20);
  }
  EXPECT_TRUE(found);
}

}  // namespace
}  // namespace sonde::detect
