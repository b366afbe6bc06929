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
    const std::string payload(
        packet.bytes.begin() + std::min<std::ptrdiff_t>(event.network_offset, std::ssize(packet.bytes)),
        packet.bytes.end());
    lines.push_back(fmt::format("{} {} {:04x} {} {} {} {}", with_direction ? event.direction : 0, event.packet_size,
                                event.ether_type, event.protocol, event.source_port, event.destination_port, payload));
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

// tcpdump in the background, writing to a file. It hands out packets once a second.
class Tcpdump {
 public:
  Tcpdump(const NetworkNamespace& where, const std::string& interface, const std::string& path) {
    pid_ = where.run("tcpdump -U -B 8192 -Z root -i " + interface + " -w " + path + " > " + log_.path() +
                     " 2>&1 & echo $!");
    pid_.resize(pid_.find('\n'));
    run("until grep -qs listening " + log_.path() + "; do kill -0 " + pid_ + " && sleep 0.05 || exit 1; done");
  }
  Tcpdump(const Tcpdump&) = delete;
  Tcpdump& operator=(const Tcpdump&) = delete;
  ~Tcpdump() { run("sleep 1.5; kill -INT " + pid_ + "; while kill -0 " + pid_ + " 2> /dev/null; do sleep 0.05; done"); }

 private:
  TemporaryFile log_{".log"};
  std::string pid_;
};

std::vector<SeenPacket> capture_both(const std::string& interface, const std::string& path, const std::string& tags) {
  const Joined joined;
  const Tcpdump tcpdump(joined.right, interface, path);
  const auto source = open_in(joined.right, options_for(interface));
  joined.right.run("ping -c 3 -i 0.2 -W 2 10.9.0.1 > /dev/null");
  send_udp(joined.left, "veth0", 1000, 20);
  send_frame(joined.left, "veth0", udp_frame(3000, 18, tags));
  return stop_and_drain(*source).packets;
}

void compare_with_tcpdump(const std::string& interface, const std::string& encapsulation, const std::string& tags) {
  const TemporaryFile file(".pcap");
  const auto seen = capture_both(interface, file.path(), tags);
  std::string link_types;
  const auto replayed = replay_all(file.path(), link_types);
  EXPECT_THAT(link_types, ::testing::StartsWith(encapsulation));
  EXPECT_GE(seen.size(), 29U);
  const bool cooked = tags.empty();
  EXPECT_EQ(describe(seen, cooked), describe(replayed, cooked));
}

// Wireshark's numbers of the encapsulations: Ethernet 1, Linux cooked v2 210.
TEST(AfPacketOracle, TcpdumpOnOneInterface) { compare_with_tcpdump("veth1", "1", "81000007"); }
// No tag: libpcap does not put an offloaded one into a LINUX_SLL2 packet.
TEST(AfPacketOracle, TcpdumpOnAnyInterface) { compare_with_tcpdump("any", "210", ""); }

}  // namespace
}  // namespace sonde::test
