// SPDX-License-Identifier: Apache-2.0
// The numbers that an event gives are all that was seen, however fast it came.
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <algorithm>

#include "corpus/traffic.hpp"
#include "detect/detector.hpp"

namespace sonde::detect {
namespace {

constexpr std::int64_t second_ns = 1'000'000'000;
const Address scanner = corpus::ipv4(10, 0, 0, 9);
const Address victim = corpus::ipv4(10, 0, 0, 2);

struct Watched {
  Detectors detectors{SecurityConfig()};
  std::vector<SecurityEvent> events;
  Report report = [this](SecurityEvent event) { events.push_back(std::move(event)); };

  [[nodiscard]] const SecurityEvent* last(SecurityKind kind) const {
    const auto found =
        std::find_if(events.rbegin(), events.rend(), [&](const SecurityEvent& event) { return event.kind == kind; });
    return found == events.rend() ? nullptr : &*found;
  }
};

std::string evidence_of(const SecurityEvent& event, const std::string& name) {
  for (const auto& [key, value] : event.evidence)
    if (key == name) return value;
  return "none";
}

// A SYN that is refused at once.
FlowSight refused(std::uint64_t id, std::uint16_t from, const Address& to, std::uint16_t port, std::int64_t wall_ns) {
  FlowSight flow;
  flow.id = id;
  flow.wall_ns = flow.first_wall_ns = wall_ns;
  flow.protocol = IPPROTO_TCP;
  flow.endpoints = {Endpoint{scanner, from}, Endpoint{to, port}};
  flow.delta = flow.total = {Count{1, 58}, Count{1, 54}};
  flow.tcp_flags = {corpus::SYN, corpus::RST | corpus::ACK};
  flow.is_new = flow.start_seen = true;
  flow.local = {false, true};
  return flow;
}

class FastScan : public testing::TestWithParam<std::uint32_t> {};

TEST_P(FastScan, CountsEveryPort) {
  Watched watched;
  const auto ports = GetParam();
  for (std::uint32_t port = 1; port <= ports; ++port)
    watched.detectors.observe(
        refused(port, 40000, victim, static_cast<std::uint16_t>(port), corpus::epoch_ns + port * 1000), watched.report);
  for (int i = 1; i < 400; ++i) watched.detectors.advance(corpus::epoch_ns + i * second_ns, watched.report);
  const auto* event = watched.last(SecurityKind::port_scan);
  ASSERT_NE(event, nullptr);
  for (const auto* name : {"ports", "probes", "refused"}) EXPECT_EQ(evidence_of(*event, name), std::to_string(ports));
  EXPECT_EQ(event->state, SecurityState::ended);
}

INSTANTIATE_TEST_SUITE_P(Ports, FastScan, testing::Values(100, 128, 129, 1000, 20000));

// The flows of one look come in no order.
TEST(FastScan, SamplesAreInTheOrderOfTheirTimes) {
  Watched watched;
  for (std::uint16_t port = 1; port <= 100; ++port)
    watched.detectors.observe(refused(port, 40000, victim, port, corpus::epoch_ns - port * 1000), watched.report);
  watched.detectors.advance(corpus::epoch_ns + second_ns, watched.report);
  const auto* event = watched.last(SecurityKind::port_scan);
  ASSERT_NE(event, nullptr);
  EXPECT_EQ(event->flows.size(), 5U);
  EXPECT_TRUE(std::ranges::is_sorted(event->flows, {}, &SecurityFlow::wall_ns));
}

TEST(FastScan, CountsEveryHost) {
  Watched watched;
  for (std::uint32_t host = 1; host <= 200; ++host)
    watched.detectors.observe(refused(host, 40000, corpus::ipv4(10, 0, 1, static_cast<std::uint8_t>(host)), 22,
                                      corpus::epoch_ns + host * 1000),
                              watched.report);
  for (int i = 1; i < 40; ++i) watched.detectors.advance(corpus::epoch_ns + i * second_ns, watched.report);
  const auto* event = watched.last(SecurityKind::host_scan);
  ASSERT_NE(event, nullptr);
  EXPECT_EQ(evidence_of(*event, "hosts"), "200");
  EXPECT_EQ(event->targets, 200U);
}

// hping3 --flood -p 80 to a closed port: each SYN has a source port of its own and is refused.
void flood(Watched& watched, int seconds, std::uint32_t per_second) {
  std::uint64_t id = 1'000'000;
  for (int i = 0; i < seconds; ++i) {
    const auto start_ns = corpus::epoch_ns + (100 + i) * second_ns;
    for (std::uint32_t j = 0; j < per_second; ++j, ++id)
      watched.detectors.observe(refused(id, static_cast<std::uint16_t>(id), victim, 80, start_ns), watched.report);
    watched.detectors.advance(start_ns + second_ns, watched.report);
  }
}

TEST(Flood, OfAClosedPortIsFound) {
  Watched watched;
  flood(watched, 6, 20000);
  const auto* event = watched.last(SecurityKind::syn_flood);
  ASSERT_NE(event, nullptr);
  EXPECT_EQ(event->who, std::vector<std::string>{"10.0.0.9"});
  EXPECT_EQ(event->response, "sonde guard block 10.0.0.9 --ttl 10m");
}

TEST(Flood, OfOneFlowHasOneSampleOfIt) {
  Watched watched;
  for (std::uint64_t second = 0; second < 6; ++second) {
    FlowSight flow;
    flow.id = 1;
    flow.wall_ns = corpus::epoch_ns + static_cast<std::int64_t>(second) * second_ns;
    flow.first_wall_ns = corpus::epoch_ns;
    flow.protocol = IPPROTO_ICMP;
    flow.endpoints = {Endpoint{scanner, 0}, Endpoint{victim, 0}};
    flow.delta = {Count{5000, 420'000}, Count{}};
    flow.total = {Count{5000 * (second + 1), 420'000 * (second + 1)}, Count{}};
    flow.is_new = second == 0;
    flow.local = {false, true};
    watched.detectors.observe(flow, watched.report);
    watched.detectors.advance(flow.wall_ns + second_ns, watched.report);
  }
  const auto* event = watched.last(SecurityKind::icmp_flood);
  ASSERT_NE(event, nullptr);
  ASSERT_EQ(event->flows.size(), 1U);
  EXPECT_GT(event->flows[0].packets, 5000U) << "as it was when the event was told";
}

TEST(Flood, OfWhoWasServedBeforeIsFound) {
  Watched watched;
  auto served = refused(1, 50000, victim, 80, corpus::epoch_ns);
  served.tcp_flags = {corpus::SYN | corpus::ACK | corpus::FIN, corpus::SYN | corpus::ACK | corpus::FIN};
  watched.detectors.observe(served, watched.report);
  flood(watched, 6, 20000);
  EXPECT_NE(watched.last(SecurityKind::syn_flood), nullptr);
}

TEST(Flood, OutageOfABusyServiceIsNone) {
  Watched watched;
  flood(watched, 20, 2000);
  EXPECT_EQ(watched.last(SecurityKind::syn_flood), nullptr);
}

}  // namespace
}  // namespace sonde::detect
