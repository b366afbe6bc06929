// SPDX-License-Identifier: Apache-2.0
// Each packet names the process whose socket sent it or receives it.
#include <gtest/gtest.h>

#include <map>

#include "peers.hpp"

namespace sonde::test {
namespace {

std::map<std::string, std::size_t> owners_of(const std::vector<Json>& packets) {
  std::map<std::string, std::size_t> owners;
  for (const auto& packet : packets) ++owners[owner_of(packet)];
  return owners;
}

using Owners = std::map<std::string, std::size_t>;

/// A client on the left, a server on the right, sonde and tcpdump at both ends, every CPU kept busy by others.
struct Conversation {
  Pair pair;
  Peer server;
  Peer client;
  Captured left, right;
  std::size_t on_wire = 0;

  Conversation(const Words& server_words, const Words& client_words, const std::string& filter,
               const Words& options = {})
      : server(pair.right, server_words), client(pair.left, client_words) {
    Tcpdump tcpdump(pair.left, "veth0");
    Capturing at_left(pair.left, words("veth0", options));
    Capturing at_right(pair.right, words("veth1", options));
    const BusyProcessors busy(pair.left);
    client.begin();
    client.finish();
    on_wire = tcpdump.count(filter);
    left = at_left.end();
    right = at_right.end();
    for (const auto* captured : {&left, &right}) {
      EXPECT_EQ(captured->status, 0) << captured->errors;
      EXPECT_TRUE(captured->balanced()) << captured->errors;
    }
  }

  static Words words(const std::string& interface, const Words& options) {
    Words all = {"-o", "json", "-i", interface};
    all.insert(all.end(), options.begin(), options.end());
    return all;
  }
};

class PacketOwners : public testing::TestWithParam<Words> {};

TEST_P(PacketOwners, OfTcp) {
  const Conversation talk({"serve_tcp", "10.9.0.2", "8080", "5"}, {"call_tcp", "10.9.0.2", "8080", "5", "20"},
                          "tcp.port == 8080", GetParam());
  EXPECT_GT(talk.on_wire, 200U);
  EXPECT_EQ(owners_of(with_port(talk.left, "tcp", 8080)), (Owners{{pid_text(talk.client), talk.on_wire}}));
  EXPECT_EQ(owners_of(with_port(talk.right, "tcp", 8080)), (Owners{{pid_text(talk.server), talk.on_wire}}));
}

TEST_P(PacketOwners, OfUdp) {
  const Conversation talk({"serve_udp", "0.0.0.0", "5353", "50"}, {"call_udp", "10.9.0.2", "5353", "50", "0"},
                          "udp.port == 5353", GetParam());
  EXPECT_EQ(talk.on_wire, 100U);
  EXPECT_EQ(owners_of(with_port(talk.left, "udp", 5353)), (Owners{{pid_text(talk.client), 100}}));
  EXPECT_EQ(owners_of(with_port(talk.right, "udp", 5353)), (Owners{{pid_text(talk.server), 100}}));
}

TEST_P(PacketOwners, OfConnectedUdp) {
  const Conversation talk({"serve_udp", "10.9.0.2", "5353", "20"}, {"call_udp", "10.9.0.2", "5353", "20", "1"},
                          "udp.port == 5353", GetParam());
  EXPECT_EQ(owners_of(with_port(talk.left, "udp", 5353)), (Owners{{pid_text(talk.client), 40}}));
  EXPECT_EQ(owners_of(with_port(talk.right, "udp", 5353)), (Owners{{pid_text(talk.server), 40}}));
}

INSTANTIATE_TEST_SUITE_P(Transports, PacketOwners,
                         testing::Values(Words{}, Words{"--transport", "perf"}, Words{"--snaplen", "200"}));

// On lo a packet is seen once, where it is received.
TEST(PacketOwners, OnLoopbackTheReceiver) {
  const Pair pair;
  const Peer server(pair.left, {"serve_udp", "127.0.0.1", "5353", "10"});
  Peer client(pair.left, {"call_udp", "127.0.0.1", "5353", "10", "0"});
  const auto seen = capture(pair.left, {"-i", "lo"}, [&] {
    client.begin();
    client.finish();
  });
  for (const auto& packet : with_port(seen, "udp", 5353))
    EXPECT_EQ(owner_of(packet), pid_text(packet["destination_port"] == 5353 ? server : client)) << packet;
  EXPECT_EQ(with_port(seen, "udp", 5353).size(), 20U);
}

// The kernel answers for nobody, and says so.
TEST(PacketOwners, ResetsAreTheKernels) {
  const Pair pair;
  Peer client(pair.left, {"call_nobody", "10.9.0.2", "8081"});
  const auto seen = capture(pair.right, {"-i", "veth1", "--port", "8081"}, [&] {
    client.begin();
    client.finish();
  });
  const auto resets = seen.only("tcp", "out");
  ASSERT_EQ(resets.size(), 1U);
  EXPECT_EQ(resets[0]["flags"], "R.");
  EXPECT_EQ(owner_of(resets[0]), "unknown: kernel socket");
}

// A packet that goes to a listener without opening a connection is not the listener's.
TEST(PacketOwners, OfStraySegmentsNobody) {
  const Pair pair;
  const Peer server(pair.right, {"serve_tcp", "0.0.0.0", "8080", "1"});
  const auto stray = ethernet({.broadcast = false},
                              ipv4({.source = {10, 9, 0, 1}, .destination = {10, 9, 0, 2}},
                                   tcp({.source_port = 4000, .destination_port = 8080, .flags = 0x10}, counting(20))));
  auto frame = stray;
  const auto mac = pair.right.run("ip -o link show veth1 | sed 's/.*ether //'");
  for (std::size_t i = 0; i < 6; ++i)
    frame[i] = static_cast<std::uint8_t>(std::stoul(mac.substr(3 * i, 2), nullptr, 16));
  const auto seen = capture(pair.right, {"-i", "veth1", "--port", "8080", "--direction", "in"},
                            [&] { send_frame(pair.left, "veth0", frame); });
  ASSERT_EQ(seen.packets.size(), 1U);
  EXPECT_NE(owner_of(seen.packets[0]), pid_text(server)) << seen.packets[0];
}

/// left - router - right; the router has sockets on the same ports.
struct Router {
  NetworkNamespace left, router, right;
  Router() {
    add_veth(left, "l0", router, "r0");
    add_veth(router, "r1", right, "l1");
    left.run("ip addr add 10.9.1.1/24 dev l0; ip route add default via 10.9.1.2");
    router.run(
        "ip addr add 10.9.1.2/24 dev r0; ip addr add 10.9.2.2/24 dev r1; echo 1 > /proc/sys/net/ipv4/ip_forward");
    right.run("ip addr add 10.9.2.1/24 dev l1; ip route add default via 10.9.2.2");
  }
};

TEST(PacketOwners, OfForwardedPacketsNobodyOfTheRouter) {
  const Router net;
  const Peer server(net.right, {"serve_udp", "0.0.0.0", "5353", "10"});
  const Peer decoy(net.router, {"serve_udp", "0.0.0.0", "5353", "10"});
  const Peer tcp_server(net.right, {"serve_tcp", "0.0.0.0", "8080", "1"});
  const Peer tcp_decoy(net.router, {"serve_tcp", "0.0.0.0", "8080", "1"});
  Peer client(net.left, {"call_udp", "10.9.2.1", "5353", "10", "0"});
  Peer tcp_client(net.left, {"call_tcp", "10.9.2.1", "8080", "1", "3"});
  const auto seen = capture(net.router, {"-i", "any", "--port", "5353,8080"}, [&] {
    client.begin();
    client.finish();
    tcp_client.begin();
    tcp_client.finish();
  });
  ASSERT_GE(seen.packets.size(), 60U);
  for (const auto& packet : seen.packets) {
    const auto owner = owner_of(packet);
    EXPECT_NE(owner, pid_text(decoy)) << packet;
    EXPECT_NE(owner, pid_text(tcp_decoy)) << packet;
    // IP has taken the sender's socket from what it forwards. What comes in from a namespace of this host still has it.
    if (packet["direction"] == "out") {
      EXPECT_EQ(owner, "unknown: no socket") << packet;
    }
  }
}

TEST(PacketOwners, AreOffWhenAskedTo) {
  const Pair pair;
  const auto seen =
      capture(pair.left, {"-i", "veth0", "--no-owners"}, [&] { send_udp(pair.left, "10.9.0.2", 4000, 5353, "hello"); });
  ASSERT_FALSE(seen.only("udp").empty());
  EXPECT_EQ(owner_of(seen.only("udp")[0]), "none");
  EXPECT_EQ(seen.errors.find("owners"), std::string::npos) << seen.errors;
}

// XDP cannot tell the receiver, and does not guess. The map size asks for owners.
TEST(PacketOwners, OfXdpOnlyWhatIsSent) {
  const Pair pair;
  const Peer server(pair.right, {"serve_udp", "0.0.0.0", "5353", "3"});
  Peer client(pair.left, {"call_udp", "10.9.0.2", "5353", "3", "0"});
  const auto seen = capture(pair.left, {"-i", "veth0", "--xdp-mode", "generic", "--owner-map-size", "4096"}, [&] {
    client.begin();
    client.finish();
  });
  EXPECT_EQ(with_port(seen, "udp", 5353).size(), 6U);
  for (const auto& packet : with_port(seen, "udp", 5353))
    EXPECT_EQ(owner_of(packet), packet["direction"] == "in" ? "unknown: not tracked" : pid_text(client)) << packet;
}

TEST(PacketOwners, TextHasAColumn) {
  const Pair pair;
  const Peer server(pair.right, {"serve_udp", "0.0.0.0", "5353", "3"});
  Peer client(pair.left, {"call_udp", "name=talker", "10.9.0.2", "5353", "3", "0"});
  const auto seen = capture(pair.left, {"-i", "veth0", "-o", "text", "udp"}, [&] {
    client.begin();
    client.finish();
  });
  const auto lines = lines_of(seen.output);
  ASSERT_EQ(lines.size(), 6U) << seen.output;
  for (const auto& line : lines)
    EXPECT_NE(line.find(" | talker[" + std::to_string(client.pid()) + "]"), std::string::npos) << line;
}

TEST(PacketOwners, TsharkShowsThemInPcapng) {
  const Pair pair;
  const Peer server(pair.right, {"serve_tcp", "10.9.0.2", "8080", "2"});
  Peer client(pair.left, {"call_tcp", "10.9.0.2", "8080", "2", "3"});
  const TemporaryFile file(".pcapng");
  const auto seen = capture(pair.left, {"-i", "veth0", "-w", file.path(), "tcp"}, [&] {
    client.begin();
    client.finish();
  });
  EXPECT_EQ(seen.status, 0) << seen.errors;
  const auto rows = tshark_rows(file.path(), {"frame.comment"});
  ASSERT_GT(rows.size(), 10U);
  for (const auto& row : rows) {
    EXPECT_TRUE(row[0].starts_with("PID: " + std::to_string(client.pid()) + "\\nCmd: /")) << row[0];
    EXPECT_NE(row[0].find("call_tcp 10.9.0.2 8080"), std::string::npos) << row[0];
  }
}

}  // namespace
}  // namespace sonde::test
