// SPDX-License-Identifier: Apache-2.0
// The same traffic through tcpdump: its file (-i any writes LINUX_SLL2) replayed gives the packets that AF_PACKET gave.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>

#include "frames.hpp"
#include "replay/file_source.hpp"

namespace sonde::test {
namespace {

// What must be the same however a packet was captured. pcap with Ethernet frames has no direction.
std::vector<std::string> describe(const std::vector<SeenPacket>& packets, bool with_direction) {
  std::vector<std::string> lines;
  for (const auto& packet : packets) {
    const auto& event = packet.event;
    const std::string payload(packet.bytes.begin() + std::min<std::ptrdiff_t>(event.network_offset, std::ssize(packet.bytes)),
                              packet.bytes.end());
    lines.push_back(fmt::format("{} {} {:04x} {} {} {} {}", with_direction ? event.direction : 0, event.packet_size, event.ether_type,
                                event.protocol, event.source_port, event.destination_port, payload));
  }
  std::ranges::sort(lines);
  return lines;
}

std::vector<SeenPacket> replay_all(const std::string& path, std::string& link_types) {
  auto source = replay::open_file(path, {.filter = *filter::compile({}), .snaplen = 65'535});
  if (!source) throw std::runtime_error(source.error().text());
  link_types = run("tshark -r " + path + " -c 1 -T fields -e frame.encap_type 2>/dev/null");
  return read_all(**source).packets;
}

void compare_with_tcpdump(const std::string& interface, const std::string& encapsulation, const std::string& tags) {
  const Joined joined;
  const TemporaryFile file(".pcap");
  joined.right.run("tcpdump -U -B 8192 -Z root -i " + interface + " -w " + file.path() + " > " + file.path() +
                   ".log 2>&1 & echo $! > " + file.path() + ".pid; until grep -qs listening " + file.path() +
                   ".log; do sleep 0.05; done");
  const auto source = open_in(joined.right, options_for(interface));
  joined.right.run("ping -c 3 -i 0.2 -W 2 10.9.0.1 > /dev/null");
  send_udp(joined.left, "veth0", 1000, 20);
  send_frame(joined.left, "veth0", udp_frame(3000, 18, tags));
  const auto seen = stop_and_drain(*source);
  run("sleep 1.5; kill -INT $(cat " + file.path() + ".pid); while kill -0 $(cat " + file.path() +
      ".pid) 2> /dev/null; do sleep 0.05; done; rm -f " + file.path() + ".pid " + file.path() + ".log");
  std::string link_types;
  const auto replayed = replay_all(file.path(), link_types);
  EXPECT_THAT(link_types, ::testing::StartsWith(encapsulation));
  EXPECT_GE(seen.packets.size(), 29U);
  const bool cooked = tags.empty();
  EXPECT_EQ(describe(seen.packets, cooked), describe(replayed, cooked));
}

// Wireshark's numbers of the encapsulations: Ethernet 1, Linux cooked v2 210.
TEST(AfPacketOracle, TcpdumpOnOneInterface) { compare_with_tcpdump("veth1", "1", "81000007"); }
// No tag: libpcap does not put an offloaded one into a LINUX_SLL2 packet.
TEST(AfPacketOracle, TcpdumpOnAnyInterface) { compare_with_tcpdump("any", "210", ""); }

}  // namespace
}  // namespace sonde::test
