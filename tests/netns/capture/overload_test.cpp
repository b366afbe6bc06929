// SPDX-License-Identifier: Apache-2.0
// A consumer that stands still while packets pass: what was produced is what was delivered and what was counted as
// lost.
#include <gtest/gtest.h>

#include <thread>

#include "harness/collect.hpp"
#include "sensors/packets/packets.hpp"
#include "sonde_program.hpp"

namespace sonde::test {
namespace {

constexpr std::uint64_t burst = 30'000;

class Overload : public testing::TestWithParam<Words> {};

TEST_P(Overload, OfAStoppedProgram) {
  const Pair pair;
  Words words = {"-i", "veth0", "-q", "--buffer", "256K"};
  words.insert(words.end(), GetParam().begin(), GetParam().end());
  Capturing capturing(pair.left, words);
  send_frame(pair.right, "veth1", udp_frame(), 10);
  std::this_thread::sleep_for(std::chrono::milliseconds{100});
  capturing.process().signal(SIGSTOP);
  send_frame(pair.right, "veth1", udp_frame(), burst / 2);
  send_frame(pair.left, "veth0", udp_frame(), burst / 2);
  capturing.process().signal(SIGCONT);
  std::this_thread::sleep_for(std::chrono::milliseconds{200});
  send_frame(pair.right, "veth1", udp_frame(), 20);
  const auto end = capturing.end();
  EXPECT_EQ(end.status, 0);
  EXPECT_TRUE(end.balanced()) << end.errors;
  const auto hook = end.stage("hook");
  const auto ring = end.stage("ring");
  EXPECT_EQ(hook.at(0), burst + 30) << "every packet passed the hook\n" << end.errors;
  EXPECT_EQ(hook.at(3), 0U);
  EXPECT_EQ(ring.at(0), burst + 30);
  EXPECT_GT(ring.at(3), 0U) << "the ring was too small for the burst\n" << end.errors;
  EXPECT_EQ(ring.at(1) + ring.at(3), burst + 30) << end.errors;
  EXPECT_EQ(end.stage("output").at(1), ring.at(1)) << "all that was in the ring came out";
  EXPECT_NE(end.errors.find("the reader was slower than the packets"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Transports, Overload,
                         testing::Values(Words{}, Words{"--transport", "perf"}, Words{"--rings", "cpu"},
                                         Words{"--xdp-mode", "native"}, Words{"--xdp-mode", "generic"}));

// The same inside one process, with packet bytes: what was delivered is whole and in order.
TEST(Overload, DeliveredPacketsAreWhole) {
  const Pair pair;
  for (const auto transport : {SONDE_TRANSPORT_RING, SONDE_TRANSPORT_PERF}) {
    packets::PacketsOptions options;
    options.interfaces = {"veth0"};
    options.program.filter.fields = std::make_shared<sonde_filter>();
    options.program.capture_bytes = true;
    options.program.snaplen = 65'535;
    options.program.transport = transport;
    options.buffer_bytes = 256 * 1024;
    std::unique_ptr<pipeline::Source> source;
    pair.left.call([&] {
      auto opened = packets::open(options);
      ASSERT_TRUE(opened) << opened.error().text();
      source = std::move(*opened);
    });
    std::vector<Bytes> frames;
    frames.reserve(10'000);
    for (std::uint16_t i = 0; i < 10'000; ++i) frames.push_back(udp_frame(i, 200));
    send_frames(pair.right, "veth1", frames);
    const auto seen = stop_and_drain(*source);
    const auto stages = source->loss();
    ASSERT_GE(stages.size(), 3U);
    EXPECT_TRUE(balanced(*source));
    EXPECT_EQ(stages[1].taken, frames.size());
    EXPECT_GT(stages[2].lost, 0U);
    EXPECT_EQ(seen.packets.size() + LossReport{stages}.lost(), frames.size());
    int last = -1;
    for (const auto& packet : seen.packets) {
      EXPECT_GT(int{packet.event.destination_port}, last);
      last = packet.event.destination_port;
      ASSERT_EQ(packet.bytes, frames[static_cast<std::size_t>(last)]);
    }
  }
}

}  // namespace
}  // namespace sonde::test
