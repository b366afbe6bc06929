// SPDX-License-Identifier: Apache-2.0
// Every packet once, as many as the interface itself counts.
#include <gtest/gtest.h>

#include <random>
#include <thread>

#include "sonde_program.hpp"

namespace sonde::test {
namespace {

struct Counters {
  std::uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes;
};

Counters read_counters(const NetworkNamespace& where) {
  const auto one = [&](const char* name) { return interface_counter(where, "veth0", name); };
  return {one("rx_packets"), one("rx_bytes"), one("tx_packets"), one("tx_bytes")};
}

std::vector<Bytes> frames_of_many_sizes(std::size_t count, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<Bytes> frames;
  frames.reserve(count);
  for (std::size_t i = 0; i < count; ++i)
    frames.push_back(ethernet({.broadcast = true}, ipv4({.protocol = static_cast<std::uint8_t>(i % 3 == 0 ? 253 : 17)},
                                                        udp({}, counting(random() % 1400)))));
  return frames;
}

std::uint64_t total(const Json& summary, const std::string& direction, const std::string& what) {
  std::uint64_t sum = 0;
  for (const auto& protocol : summary["totals"][direction]) sum += protocol[what].get<std::uint64_t>();
  return sum;
}

class Counts : public testing::TestWithParam<Words> {};

TEST_P(Counts, EqualTheInterfaceCounters) {
  const Pair pair;
  const auto before = read_counters(pair.left);
  Words words = {"-i", "veth0"};
  words.insert(words.end(), GetParam().begin(), GetParam().end());
  const auto seen = capture(pair.left, words, [&] {
    send_frames(pair.left, "veth0", frames_of_many_sizes(2000, 1));
    send_frames(pair.right, "veth1", frames_of_many_sizes(1500, 2));
    send_frames(pair.left, "veth0", frames_of_many_sizes(500, 3));
  });
  const auto after = read_counters(pair.left);
  EXPECT_EQ(total(seen.summary, "in", "packets"), after.rx_packets - before.rx_packets);
  EXPECT_EQ(total(seen.summary, "out", "packets"), after.tx_packets - before.tx_packets);
  // veth counts without the link header what it hands to an XDP program (drivers/net/veth.c: veth_xdp_rcv).
  const bool native = seen.errors.find("native XDP") != std::string::npos;
  const auto link_headers = native ? 14 * (after.rx_packets - before.rx_packets) : 0;
  EXPECT_EQ(total(seen.summary, "in", "bytes"), after.rx_bytes - before.rx_bytes + link_headers);
  EXPECT_EQ(total(seen.summary, "out", "bytes"), after.tx_bytes - before.tx_bytes);
  EXPECT_GE(seen.packets.size(), 4000U);
  EXPECT_EQ(seen.summary["loss"]["lost"], 0);
  EXPECT_TRUE(seen.summary["loss"]["balanced"]);
  EXPECT_TRUE(seen.balanced());
}

INSTANTIATE_TEST_SUITE_P(Hooks, Counts,
                         testing::Values(Words{}, Words{"--xdp-mode", "native"}, Words{"--xdp-mode", "generic"},
                                         Words{"--transport", "perf"}, Words{"--rings", "cpu"}));

TEST(Once, OnLoopback) {
  const NetworkNamespace where;
  for (const Words& words : {Words{}, Words{"--direction", "out"}, Words{"--xdp-mode", "generic"}}) {
    Words all = {"-i", "lo"};
    all.insert(all.end(), words.begin(), words.end());
    const auto seen = capture(where, all, [&] { send_udp(where, "127.0.0.1", 1025, 514, "once"); });
    ASSERT_EQ(seen.only("udp").size(), 1U) << seen.output;
    EXPECT_EQ(seen.only("udp")[0]["direction"], words.empty() || words[0] != "--direction" ? "in" : "out");
  }
}

TEST(Once, WithTheInterfaceNamedTwice) {
  const Pair pair;
  for (const std::string second : {"veth0", "any"}) {
    const auto seen = capture(pair.left, {"-i", "veth0", "-i", second}, [&] {
      send_frame(pair.right, "veth1", udp_frame(), 10);
      send_frame(pair.left, "veth0", udp_frame(), 5);
    });
    EXPECT_EQ(seen.only("udp", "in").size(), 10U) << second;
    EXPECT_EQ(seen.only("udp", "out").size(), 5U) << second;
  }
}

TEST(AnyInterface, SeesLoopbackAndTheOthers) {
  const Pair pair;
  const auto seen = capture(pair.left, {"-i", "any"}, [&] {
    send_udp(pair.left, "127.0.0.1", 1025, 514, "lo");
    send_frame(pair.right, "veth1", udp_frame(), 3);
  });
  std::map<std::string, int> by_interface;
  for (const auto& packet : seen.only("udp")) ++by_interface[packet["interface"]];
  EXPECT_EQ(by_interface, (std::map<std::string, int>{{"lo", 1}, {"veth0", 3}}));
}

TEST(AnyInterface, SeesOneThatAppearsLater) {
  const NetworkNamespace where;
  const NetworkNamespace other;
  Capturing capturing(where, {"-i", "any", "-o", "json"});
  add_veth(where, "late0", other, "late1");
  bool seen = false;
  for (int i = 0; i < 100 && !seen; ++i) {
    send_frame(other, "late1", udp_frame());
    seen = capturing.process().wait_for_output_text("\"late0\"", std::chrono::milliseconds{100});
  }
  EXPECT_TRUE(seen);
  where.run("ip link delete late0");  // and one that goes does no harm
  const auto end = capturing.end();
  EXPECT_EQ(end.status, 0);
  EXPECT_NE(end.errors.find("late0: in by"), std::string::npos) << end.errors;
  EXPECT_TRUE(end.balanced()) << end.errors;
}

// Offload keeps many wire packets in one: the event tells how many, and its bytes are those that the interface counts.
TEST(Segmentation, OfBulkTcp) {
  const Pair pair;
  const auto before = read_counters(pair.left);
  const auto seen = capture(pair.left, {"-i", "veth0"}, [&] {
    Process server(pair.right, {"nc", "-l", "-N", "-d", "5001"});
    for (int i = 0; i < 100 && pair.right.run("ss -Hltn sport 5001").empty(); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds{20});
    pair.left.run("head -c 8000000 /dev/zero | nc -N 10.9.0.2 5001");
    EXPECT_EQ(server.wait(), 0);
  });
  const auto after = read_counters(pair.left);
  std::uint64_t payload = 0, segments = 0, bytes = 0, merged = 0;
  for (const auto& packet : seen.only("tcp", "out")) {
    payload += packet["payload_size"].get<std::uint64_t>();
    bytes += packet["size"].get<std::uint64_t>();
    const auto kept = packet.value("segments", std::uint64_t{1});
    segments += kept;
    merged += kept > 1 ? 1 : 0;
    if (kept > 1) {
      EXPECT_EQ(kept, (packet["payload_size"].get<std::uint64_t>() + 1447) / 1448);
    }
  }
  EXPECT_GE(payload, 8'000'000U);
  EXPECT_LT(payload, 8'800'000U) << "more than retransmissions explain";
  EXPECT_GT(merged, 0U);
  EXPECT_GE(segments, payload / 1448);
  EXPECT_EQ(bytes, after.tx_bytes - before.tx_bytes);
  EXPECT_EQ(seen.only("tcp", "in").size(), after.rx_packets - before.rx_packets);
  EXPECT_TRUE(seen.balanced());
}

}  // namespace
}  // namespace sonde::test
