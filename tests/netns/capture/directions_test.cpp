// SPDX-License-Identifier: Apache-2.0
// Real traffic both ways: addresses and ports stand where they belong.
#include <gtest/gtest.h>

#include "sonde_program.hpp"

namespace sonde::test {
namespace {

struct Ends {
  const char* name;
  std::string own;
  std::string other;
};
const Ends families[] = {{"IPv4", "10.9.0.1", "10.9.0.2"}, {"IPv6", "fd09::1", "fd09::2"}};

void expect_flow(const Json& packet, const std::string& source, int source_port, const std::string& destination,
                 int destination_port) {
  EXPECT_EQ(packet["source"], source);
  EXPECT_EQ(packet["destination"], destination);
  EXPECT_EQ(packet["source_port"], source_port);
  EXPECT_EQ(packet["destination_port"], destination_port);
  EXPECT_EQ(packet["interface"], "veth0");
  EXPECT_EQ(packet["status"], "ok");
}

class Directions : public testing::TestWithParam<Words> {};

TEST_P(Directions, OfTcp) {
  for (const auto& family : families) {
    SCOPED_TRACE(family.name);
    const Pair pair(NetworkNamespace::Ipv6::on);
    Words words = {"-i", "veth0"};
    words.insert(words.end(), GetParam().begin(), GetParam().end());
    const auto seen = capture(pair.left, words, [&] {
      exchange_tcp(pair.left, pair.right, family.other, 40'001, 258, "request", "a longer reply");
    });
    EXPECT_EQ(seen.status, 0);
    const auto out = seen.only("tcp", "out");
    const auto in = seen.only("tcp", "in");
    ASSERT_GE(out.size(), 3U);
    ASSERT_GE(in.size(), 3U);
    for (const auto& packet : out) expect_flow(packet, family.own, 40'001, family.other, 258);
    for (const auto& packet : in) expect_flow(packet, family.other, 258, family.own, 40'001);
    EXPECT_EQ(out[0]["flags"], "S");
    EXPECT_EQ(in[0]["flags"], "S.");
    EXPECT_EQ(in[0]["ack"], out[0]["seq"].get<std::uint32_t>() + 1);
    const auto payload = [](const std::vector<Json>& packets) {
      int sum = 0;
      for (const auto& packet : packets) sum += packet["payload_size"].get<int>();
      return sum;
    };
    EXPECT_EQ(payload(out), 7);
    EXPECT_EQ(payload(in), 14);
  }
}

TEST_P(Directions, OfUdp) {
  for (const auto& family : families) {
    SCOPED_TRACE(family.name);
    const Pair pair(NetworkNamespace::Ipv6::on);
    Words words = {"-i", "veth0", "--protocol", "udp"};
    words.insert(words.end(), GetParam().begin(), GetParam().end());
    const auto seen = capture(pair.left, words, [&] {
      send_udp(pair.left, family.other, 1025, 514, "out");
      send_udp(pair.right, family.own, 2050, 1028, "in");
    });
    ASSERT_EQ(seen.packets.size(), 2U) << seen.errors;
    expect_flow(seen.only("udp", "out").at(0), family.own, 1025, family.other, 514);
    expect_flow(seen.only("udp", "in").at(0), family.other, 2050, family.own, 1028);
    EXPECT_EQ(seen.only("udp", "out").at(0)["payload_size"], 3);
    EXPECT_EQ(seen.only("udp", "in").at(0)["payload_size"], 2);
  }
}

TEST_P(Directions, OfPing) {
  for (const auto& family : families) {
    SCOPED_TRACE(family.name);
    const Pair pair(NetworkNamespace::Ipv6::on);
    Words words = {"-i", "veth0", "--ip", family.own};
    words.insert(words.end(), GetParam().begin(), GetParam().end());
    const auto seen = capture(pair.left, words, [&] { pair.left.run("ping -c 2 -i 0.01 " + family.other); });
    const bool v6 = family.own.find(':') != std::string::npos;
    const auto out = seen.only(v6 ? "icmp6" : "icmp", "out");
    const auto in = seen.only(v6 ? "icmp6" : "icmp", "in");
    ASSERT_EQ(out.size(), 2U) << seen.output;
    ASSERT_EQ(in.size(), 2U);
    EXPECT_EQ(out[0]["source"], family.own);
    EXPECT_EQ(out[0]["destination"], family.other);
    EXPECT_EQ(out[0]["icmp"]["type"], v6 ? 128 : 8);
    EXPECT_EQ(in[0]["source"], family.other);
    EXPECT_EQ(in[0]["icmp"]["type"], v6 ? 129 : 0);
    EXPECT_FALSE(out[0].contains("source_port"));
  }
}

std::string name(const testing::TestParamInfo<Words>& instance) {
  std::string text;
  for (const auto& word : instance.param)
    for (const char c : word)
      if (std::isalnum(static_cast<unsigned char>(c))) text += c;
  return text.empty() ? "Default" : text;
}

INSTANTIATE_TEST_SUITE_P(Hooks, Directions,
                         testing::Values(Words{}, Words{"--xdp-mode", "native"}, Words{"--xdp-mode", "generic"},
                                         Words{"--xdp-mode", "auto"}, Words{"--transport", "perf"},
                                         Words{"--rings", "cpu"}, Words{"--source", "afpacket"}),
                         name);

TEST(DirectionFilter, KeepsOneSide) {
  const Pair pair;
  for (const std::string direction : {"in", "out"}) {
    const auto seen = capture(pair.left, {"-i", "veth0", "--direction", direction}, [&] {
      send_udp(pair.left, "10.9.0.2", 1025, 514, "out");
      send_udp(pair.right, "10.9.0.1", 2050, 1028, "in");
    });
    ASSERT_EQ(seen.packets.size(), seen.only("icmp").size() + 1) << seen.output;
    for (const auto& packet : seen.packets) EXPECT_EQ(packet["direction"], direction);
  }
}

// Nested headers stay right on the wire's way through real skbs, whose headers may lie outside the linear part.
TEST(Headers, OfFragmentsAndLargePackets) {
  const Pair pair(NetworkNamespace::Ipv6::on);
  const auto seen = capture(pair.left, {"-i", "veth0", "--ip", "fd09::1", "--ip", "10.9.0.1"}, [&] {
    pair.left.run("ping -c 1 -s 4000 10.9.0.2");
    pair.left.run("ping -c 1 -s 4000 fd09::2");
  });
  for (const std::string protocol : {"icmp", "icmp6"})
    for (const std::string direction : {"out", "in"}) {
      const auto packets = seen.only(protocol, direction);
      ASSERT_EQ(packets.size(), 3U) << protocol << direction << seen.output;
      EXPECT_EQ(packets[0]["fragment"]["offset"], 0);
      EXPECT_EQ(packets[0]["icmp"]["type"].is_number(), true);
      EXPECT_GT(packets[1]["fragment"]["offset"], 1000);
      EXPECT_FALSE(packets[1].contains("icmp")) << "no transport header in a later fragment";
      EXPECT_EQ(packets[2]["fragment"]["offset"].get<int>(), 2 * packets[1]["fragment"]["offset"].get<int>());
      for (const auto& packet : packets) EXPECT_EQ(packet["status"], "ok");
    }
}

}  // namespace
}  // namespace sonde::test
