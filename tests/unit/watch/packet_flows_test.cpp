// SPDX-License-Identifier: Apache-2.0
// Flows put together from packets, against a plain model, and their ends, names and steps.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <tuple>

#include "fake_packets.hpp"
#include "flows/packet_flow_source.hpp"

namespace sonde::test {
namespace {

using flows::PacketFlowOptions;
using std::chrono::milliseconds;

struct Shown {
  Flow flow;
  std::uint64_t id = 0;
  std::uint64_t packets = 0;  ///< since the collection before
  bool is_new = false;
  std::int64_t collected_ns = 0;
};

/// Everything that a source shows until it is finished.
class Collector final : public pipeline::FlowVisitor {
 public:
  explicit Collector(std::unique_ptr<pipeline::FlowSource> source) : source_(std::move(source)) {
    while (!source_->finished()) {
      const auto before = shown.size();
      error = source_->collect(*this);
      times.push_back(source_->now_wall_ns());
      for (auto i = before; i < shown.size(); ++i) shown[i].collected_ns = times.back();
    }
    loss.stages = source_->loss();
    notices = source_->notices();
  }

  void visit(const pipeline::FlowSample& sample) override {
    const auto packets = sample.delta[0].packets + sample.delta[1].packets;
    shown.push_back({source_->describe(sample), sample.id, packets, sample.is_new, 0});
    sum += packets;
  }
  void visit(const pipeline::FlowPacket& packet) override {
    special.emplace_back(packet.bytes.begin(), packet.bytes.end());
  }

  /// Those that are over.
  [[nodiscard]] std::vector<Shown> ended() const {
    std::vector<Shown> all;
    for (const auto& one : shown)
      if (one.flow.end != FlowEnd::none) all.push_back(one);
    return all;
  }

  std::vector<Shown> shown;
  std::vector<Bytes> special;
  std::vector<std::int64_t> times;
  std::uint64_t sum = 0;
  LossReport loss;
  std::vector<std::string> notices;
  Result<void> error;

 private:
  std::unique_ptr<pipeline::FlowSource> source_;
};

Collector replay(std::vector<TimedFrame> frames, PacketFlowOptions options = {}, std::size_t batch = 7) {
  options.replay_step = milliseconds{500};
  return Collector(flows::make_packet_flows(make_fake_packets(std::move(frames), batch), options));
}

constexpr std::array<std::uint8_t, 4> client = {10, 0, 0, 9};
constexpr std::array<std::uint8_t, 4> server = {10, 0, 0, 2};

constexpr std::uint8_t fin = 1, syn = 2, rst = 4, ack = 16;

Bytes segment(bool from_client, std::uint8_t flags, std::uint16_t client_port = 40'000, const Bytes& payload = {},
              std::uint32_t sequence = 1000) {
  return ethernet({}, ipv4({.source = from_client ? client : server, .destination = from_client ? server : client},
                           tcp({.source_port = from_client ? client_port : std::uint16_t{443},
                                .destination_port = from_client ? std::uint16_t{443} : client_port,
                                .sequence = sequence,
                                .flags = flags},
                               payload)));
}

Bytes datagram(std::uint16_t from_port, std::uint16_t to_port, const Bytes& payload = {}) {
  return ethernet({}, ipv4({.protocol = 17, .source = client, .destination = server},
                           udp({.source_port = from_port, .destination_port = to_port}, payload)));
}

Bytes arp_frame() { return ethernet({.type = ether_arp}, arp_request()); }

std::vector<TimedFrame> connection(std::int64_t at, std::uint16_t port = 40'000) {
  return {{at, segment(true, syn, port)},
          {at + 10 * millisecond, segment(false, syn | ack, port)},
          {at + 15 * millisecond, segment(true, ack, port)},
          {at + 20 * millisecond, segment(true, fin | ack, port)},
          {at + 30 * millisecond, segment(false, fin | ack, port)},
          {at + 40 * millisecond, segment(true, ack, port)}};
}

TEST(PacketFlows, JoinBothDirectionsWithTheOpenerFirst) {
  const auto seen = replay(connection(start_ns));
  ASSERT_EQ(seen.shown.size(), 1U);
  const auto& flow = seen.shown[0].flow;
  EXPECT_EQ(flow.sides[0].endpoint.text(), "10.0.0.9:40000");
  EXPECT_EQ(flow.sides[1].endpoint.text(), "10.0.0.2:443");
  EXPECT_EQ(flow.sides[0].packets, 4U);
  EXPECT_EQ(flow.sides[1].packets, 2U);
  EXPECT_EQ(flow.sides[0].bytes, 4U * 54);
  EXPECT_EQ(flow.sides[0].tcp_flags, syn | ack | fin);
  EXPECT_TRUE(flow.start_seen);
  EXPECT_EQ(flow.syn_ack_time, std::chrono::microseconds{10'000});
  EXPECT_EQ(flow.handshake_time, std::chrono::microseconds{15'000});
  EXPECT_EQ(flow.first_wall_ns, start_ns);
  EXPECT_EQ(flow.last_wall_ns, start_ns + 40 * millisecond);
  EXPECT_EQ(flow.interface, "eth0");
  EXPECT_EQ(flow.end, FlowEnd::closed);
  EXPECT_TRUE(seen.loss.balanced());
}

TEST(PacketFlows, OpenerIsWhoSentTheSynAlsoWhenTheAnswerIsSeenFirst) {
  const auto seen = replay({{start_ns, segment(false, syn | ack)}});
  ASSERT_EQ(seen.shown.size(), 1U);
  EXPECT_EQ(seen.shown[0].flow.sides[0].endpoint.text(), "10.0.0.9:40000");
}

// Closed connections wait two seconds for late packets; others the idle timeout.
TEST(PacketFlows, EndInTime) {
  auto frames = connection(start_ns);
  frames.push_back({start_ns + 100 * millisecond, segment(true, syn, 40'001)});
  frames.push_back({start_ns + 110 * millisecond, segment(false, rst | ack, 40'001)});
  frames.push_back({start_ns + 200 * millisecond, datagram(5000, 6000)});
  frames.push_back({start_ns + 60 * second, datagram(5001, 6000)});
  const auto ended = replay(frames, {.idle_timeout = std::chrono::seconds{10}}).ended();
  ASSERT_EQ(ended.size(), 4U);
  EXPECT_EQ(ended[0].flow.end, FlowEnd::closed);
  EXPECT_EQ(ended[0].collected_ns, start_ns + 2500 * millisecond);  // 2.04 s, in steps of 0.5 s
  EXPECT_EQ(ended[1].flow.end, FlowEnd::reset);
  EXPECT_EQ(ended[1].collected_ns, start_ns + 2500 * millisecond);
  EXPECT_EQ(ended[2].flow.end, FlowEnd::idle);
  EXPECT_EQ(ended[2].collected_ns, start_ns + 10'500 * millisecond);
  EXPECT_EQ(ended[3].flow.end, FlowEnd::shutdown);
}

TEST(PacketFlows, ASynAfterTheEndIsAnotherFlow) {
  auto frames = connection(start_ns);
  for (auto& frame : connection(start_ns + second)) frames.push_back(std::move(frame));
  const auto ended = replay(frames).ended();
  ASSERT_EQ(ended.size(), 2U);
  EXPECT_NE(ended[0].id, ended[1].id);
  EXPECT_EQ(ended[0].flow.packets(), 6U);
  EXPECT_EQ(ended[1].flow.packets(), 6U);
}

TEST(PacketFlows, AnIcmpErrorMarksTheFlowItQuotes) {
  const auto asked = ipv4({.protocol = 17, .source = client, .destination = server},
                          udp({.source_port = 5000, .destination_port = 6000}, counting(30)));
  const auto quoted = first_of(asked, 28);
  const auto answer = [&](std::uint8_t type, std::uint8_t code) {
    return ethernet({}, ipv4({.protocol = 1, .source = server, .destination = client}, icmp(type, code, quoted)));
  };
  const auto unreachable = replay({{start_ns, ethernet({}, asked)}, {start_ns + 1, answer(3, 3)}}).ended();
  ASSERT_EQ(unreachable.size(), 2U);
  EXPECT_TRUE(unreachable[0].flow.unreachable);
  EXPECT_FALSE(unreachable[1].flow.unreachable);
  const auto too_big = replay({{start_ns, ethernet({}, asked)}, {start_ns + 1, answer(3, 4)}}).ended();
  EXPECT_FALSE(too_big[0].flow.unreachable);
}

TEST(PacketFlows, InterfacesOfAGroupShareTheirFlows) {
  const std::vector<TimedFrame> frames = {{start_ns, datagram(5000, 6000), 1}, {start_ns + 1, datagram(5000, 6000), 2}};
  EXPECT_EQ(replay(frames).shown.size(), 2U);
  const auto joined = replay(frames, {.groups = {{"eth0", "eth1"}}});
  ASSERT_EQ(joined.shown.size(), 1U);
  EXPECT_EQ(joined.shown[0].flow.packets(), 2U);
  EXPECT_EQ(joined.shown[0].flow.interface, "eth0+eth1");
}

TEST(PacketFlows, AreNamedByTheFirstDnsQuestion) {
  const Bytes question = {0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 7, 'e', 'x', 'a', 'm', 'p', 'l', 'e', 0, 0, 1, 0, 1};
  const auto seen = replay({{start_ns, datagram(5000, 53, question)}}, {.dns = true});
  ASSERT_EQ(seen.shown.size(), 1U);
  EXPECT_EQ(seen.shown[0].flow.name, "example");
  EXPECT_EQ(seen.shown[0].flow.name_source, FlowNameSource::dns);
  EXPECT_THAT(seen.special, testing::ElementsAre(datagram(5000, 53, question)));
}

TEST(PacketFlows, ArpIsShownAndIsNoFlow) {
  const auto seen = replay({{start_ns, arp_frame()}, {start_ns + 1, datagram(1, 2)}}, {.arp = true});
  EXPECT_EQ(seen.shown.size(), 1U);
  EXPECT_THAT(seen.special, testing::ElementsAre(arp_frame()));
  EXPECT_EQ(seen.loss.stages.back().filtered, 1U);
  EXPECT_EQ(seen.loss.stages.back().given, 1U);
  EXPECT_TRUE(seen.loss.balanced());
  EXPECT_TRUE(replay({{start_ns, arp_frame()}}).special.empty());
}

// The time of a step is its end, that of the last one the last packet's.
TEST(Replay, GoesInStepsOfPacketTime) {
  const auto seen = replay({{start_ns, datagram(1, 2)},
                            {start_ns + 499 * millisecond, datagram(1, 2)},
                            {start_ns + 500 * millisecond, datagram(1, 2)},
                            {start_ns + 1600 * millisecond, datagram(1, 2)}});
  ASSERT_EQ(seen.shown.size(), 3U);
  EXPECT_EQ(seen.shown[0].packets, 2U);
  EXPECT_TRUE(seen.shown[0].is_new);
  EXPECT_EQ(seen.shown[1].packets, 1U);
  EXPECT_FALSE(seen.shown[1].is_new);
  EXPECT_THAT(seen.times, testing::ElementsAre(start_ns + 500 * millisecond, start_ns + 1000 * millisecond,
                                               start_ns + 1500 * millisecond, start_ns + 1600 * millisecond));
}

TEST(Replay, JumpsOverALongSilence) {
  const auto seen = replay({{start_ns, datagram(1, 2)}, {start_ns + 86'400 * second, datagram(1, 2)}});
  EXPECT_LT(seen.times.size(), 700U);
  ASSERT_EQ(seen.ended().size(), 2U);
  EXPECT_EQ(seen.ended()[0].flow.end, FlowEnd::idle);
}

TEST(Replay, TellsOfTimeThatGoesBack) {
  const auto seen = replay({{start_ns, datagram(1, 2)}, {start_ns - 5 * second, datagram(1, 2)}});
  EXPECT_EQ(seen.sum, 2U);
  EXPECT_THAT(seen.notices, testing::Contains(testing::HasSubstr("goes back by up to 5.0 s")));
}

TEST(Replay, AFullTableEndsTheIdlestFlowsAndTellsHowMany) {
  std::vector<TimedFrame> frames;
  for (std::uint16_t port = 1; port <= 100; ++port) {
    frames.push_back({start_ns + port, datagram(port, 7)});
    frames.push_back({start_ns + port, datagram(1, 7)});  // never the idlest
  }
  const auto seen = replay(frames, {.max_flows = 10});
  EXPECT_EQ(seen.sum, 200U);
  EXPECT_EQ(seen.ended().size(), 100U);
  EXPECT_THAT(seen.notices, testing::ElementsAre("the table of 10 flows was full: 90 ended early"));
  for (const auto& one : seen.ended())
    if (one.flow.sides[0].endpoint.port == 1) {
      EXPECT_EQ(one.flow.packets(), 101U);
    }
}

// Between two collections of a live source there is room for max_flows more; what is beyond is lost and counted.
TEST(Live, TheLedgerHoldsWhenNothingIsCollected) {
  std::vector<TimedFrame> frames;
  for (std::uint16_t port = 1; port <= 100; ++port) frames.push_back({start_ns, datagram(port, 7)});
  auto source = flows::make_packet_flows(make_fake_packets(frames), {.max_flows = 10});
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(source->poll(milliseconds{0}));
  ASSERT_TRUE(source->stop());
  const Collector seen(std::move(source));
  EXPECT_EQ(seen.sum, 20U);
  const auto& stage = seen.loss.stages.back();
  EXPECT_EQ(stage.given, 20U);
  EXPECT_EQ(stage.lost, 80U);
  EXPECT_TRUE(seen.loss.balanced());
}

// Random packets of few endpoints, through tables of all sizes: every packet is in exactly one delta, every flow has
// the packets that a plain map counts.
TEST(PacketFlows, AgreeWithAPlainModel) {
  std::mt19937 random(4);
  const auto pick = [&](int most) { return static_cast<int>(random() % static_cast<unsigned>(most)); };
  for (const std::uint32_t room : {1U, 3U, 16U, 4096U}) {
    std::vector<TimedFrame> frames;
    std::map<std::tuple<std::uint16_t, bool>, std::uint64_t> model;  // packets of the client, by port and protocol
    std::int64_t time = start_ns;
    for (int i = 0; i < 5000; ++i) {
      time += pick(3) * 100 * millisecond;
      const auto port = static_cast<std::uint16_t>(1000 + pick(40));
      const bool is_tcp = pick(2) == 0;
      frames.push_back({time, is_tcp ? segment(true, ack, port) : datagram(port, 443)});
      ++model[{port, is_tcp}];
    }
    const auto seen = replay(frames, {.max_flows = room, .idle_timeout = std::chrono::seconds{3}}, 1 + room % 11);
    EXPECT_EQ(seen.sum, frames.size());
    EXPECT_TRUE(seen.loss.balanced());
    EXPECT_EQ(seen.loss.stages.back().given, frames.size());
    std::map<std::tuple<std::uint16_t, bool>, std::uint64_t> counted;
    std::set<std::uint64_t> ids;
    for (const auto& one : seen.ended()) {
      EXPECT_TRUE(ids.insert(one.id).second) << "a flow ended twice";
      counted[{one.flow.sides[0].endpoint.port, one.flow.protocol == 6}] += one.flow.packets();
    }
    EXPECT_EQ(counted, model);
  }
}

}  // namespace
}  // namespace sonde::test
