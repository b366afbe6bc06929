// SPDX-License-Identifier: Apache-2.0
// Kinds of interfaces: bridge, macvlan, tun, VLAN; and tags that the kernel keeps beside the packet.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>

#include <cstring>
#include <set>

#include "sonde_program.hpp"

namespace sonde::test {
namespace {

// The packets of a capture file as tcpdump reads them.
std::vector<Bytes> packets_in(const std::string& file) {
  const TemporaryFile pcap(".pcap");
  run("tcpdump -r " + file + " -w " + pcap.path() + " 2>/dev/null");
  const auto text = read_file(pcap.path());
  std::vector<Bytes> packets;
  for (std::size_t at = 24; at + 16 <= text.size();) {
    std::uint32_t size = 0;
    std::memcpy(&size, text.data() + at + 8, sizeof(size));
    packets.emplace_back(text.begin() + static_cast<long>(at + 16), text.begin() + static_cast<long>(at + 16 + size));
    at += 16 + size;
  }
  return packets;
}

TEST(Links, BridgeWithTwoPorts) {
  const NetworkNamespace bridge, one, two;
  add_veth(bridge, "port1", one, "eth1");
  add_veth(bridge, "port2", two, "eth2");
  bridge.run(
      "ip link add br0 type bridge && ip link set port1 master br0 && ip link set port2 master br0 && "
      "ip link set br0 up && sleep 0.1");
  const auto seen =
      capture(bridge, {"-i", "br0", "-i", "port1", "-i", "port2"}, [&] { send_frame(one, "eth1", udp_frame(), 4); });
  std::map<std::string, int> counted;
  for (const auto& packet : seen.only("udp"))
    ++counted[packet["interface"].get<std::string>() + " " + packet["direction"].get<std::string>()];
  EXPECT_EQ(counted, (std::map<std::string, int>{{"port1 in", 4}, {"port2 out", 4}, {"br0 in", 4}}));
}

TEST(Links, Macvlan) {
  const Pair pair;
  pair.left.run(
      "ip link add link veth0 name mac0 address 02:00:00:00:09:09 type macvlan mode bridge && ip address add "
      "10.8.0.1/24 dev mac0 && "
      "ip link set mac0 up && ip neighbour add 10.8.0.2 lladdr 02:00:00:00:09:02 dev mac0");
  pair.right.run(
      "ip address add 10.8.0.2/24 dev veth1 && ip neighbour add 10.8.0.1 lladdr 02:00:00:00:09:09 dev veth1");
  const auto seen = capture(pair.left, {"-i", "mac0"}, [&] { pair.left.run("ping -c 2 -i 0.01 10.8.0.2"); });
  EXPECT_EQ(seen.only("icmp", "out").size(), 2U) << seen.output;
  EXPECT_EQ(seen.only("icmp", "in").size(), 2U);
}

// The end of a tun device that a VPN program would hold.
Fd open_tun(const NetworkNamespace& where) {
  Fd fd;
  where.call([&] {
    fd.reset(::open("/dev/net/tun", O_RDWR | O_CLOEXEC));
    ifreq request{};
    request.ifr_flags = IFF_TUN | IFF_NO_PI;
    std::strcpy(request.ifr_name, "tun0");
    if (!fd || ::ioctl(fd.get(), TUNSETIFF, &request) != 0) throw std::runtime_error("cannot make tun0");
  });
  where.run("ip address add 10.7.0.1/24 dev tun0 && ip link set tun0 up");
  return fd;
}

TEST(Links, TunCarriesBareIp) {
  const NetworkNamespace where;
  const auto tun = open_tun(where);
  const auto in = ipv4({.protocol = 17, .source = {10, 7, 0, 2}, .destination = {10, 7, 0, 1}},
                       udp({.destination_port = 9}, counting(20)));
  const TemporaryFile file(".pcapng");
  const auto traffic = [&] {
    ASSERT_EQ(::write(tun.get(), in.data(), in.size()), static_cast<ssize_t>(in.size()));
    send_udp(where, "10.7.0.2", 1025, 514, "out");
  };
  const auto seen = capture(where, {"-i", "tun0", "--protocol", "udp"}, traffic);
  ASSERT_EQ(seen.packets.size(), 2U) << seen.output << seen.errors;
  const auto received = seen.only("udp", "in").at(0);
  EXPECT_EQ(received["source"], "10.7.0.2");
  EXPECT_EQ(received["destination_port"], 9);
  EXPECT_EQ(received["size"], in.size());
  EXPECT_EQ(seen.only("udp", "out").at(0)["destination"], "10.7.0.2");
  EXPECT_EQ(seen.only("udp", "out").at(0)["size"], 31);

  const auto written = capture(where, {"-i", "tun0", "-w", file.path(), "udp", "port", "9"}, traffic);
  EXPECT_EQ(written.status, 0);
  EXPECT_EQ(packets_in(file.path()), std::vector<Bytes>{in});
  EXPECT_EQ(tshark_rows(file.path(), {"udp.dstport"}), (std::vector<Words>{{"9"}}));
}

TEST(Links, VlanSubInterface) {
  const Pair pair;
  if (!add_vlan(pair.left, "veth0", 100) || !add_vlan(pair.right, "veth1", 100))
    GTEST_SKIP() << "this kernel has no 802.1Q interfaces (CONFIG_VLAN_8021Q)";
  pair.left.run("ip address add 10.6.0.1/24 dev vlan100");
  pair.right.run("ip address add 10.6.0.2/24 dev vlan100");
  const auto inner = capture(pair.left, {"-i", "vlan100"}, [&] { pair.left.run("ping -c 2 -i 0.01 10.6.0.2"); });
  EXPECT_EQ(inner.only("icmp", "out").size(), 2U);
  EXPECT_EQ(inner.only("icmp", "in").size(), 2U);
  EXPECT_FALSE(inner.only("icmp").at(0).contains("vlan"));
  const auto outer =
      capture(pair.left, {"-i", "veth0", "vlan", "100"}, [&] { pair.left.run("ping -c 2 -i 0.01 10.6.0.2"); });
  EXPECT_EQ(outer.only("icmp", "out").size(), 2U);
  EXPECT_EQ(outer.only("icmp", "in").size(), 2U);
  EXPECT_EQ(outer.only("icmp").at(0)["vlan"], Json::array({100}));
}

class Tags : public testing::TestWithParam<Words> {
 protected:
  [[nodiscard]] static Words words(const Words& more) {
    Words all = {"-i", "veth0"};
    all.insert(all.end(), GetParam().begin(), GetParam().end());
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  static Bytes frame(const std::vector<Tag>& tags, std::uint16_t port) {
    return ethernet({.tags = tags, .broadcast = true},
                    ipv4({.protocol = 17}, udp({.destination_port = port}, counting(40))));
  }
};

// At tc ingress the kernel has taken the outer tag out of the packet; the file holds what was on the wire.
TEST_P(Tags, AreInTheFileAsOnTheWire) {
  const Pair pair;
  const std::vector<Bytes> frames = {frame({{0x8100, 100}}, 53), frame({}, 53), frame({{0x8100, 0x2065}}, 54),
                                     frame({{0x88a8, 100}, {0x8100, 7}}, 53)};
  const TemporaryFile file(".pcapng");
  const auto seen = capture(pair.left, words({"-w", file.path()}), [&] {
    send_frames(pair.right, "veth1", frames);
    send_frames(pair.left, "veth0", frames);
  });
  EXPECT_EQ(seen.status, 0) << seen.errors;
  auto both = frames;
  both.insert(both.end(), frames.begin(), frames.end());
  EXPECT_EQ(packets_in(file.path()), both);
}

TEST_P(Tags, AreCutAtTheSnaplen) {
  const Pair pair;
  const auto sent = frame({{0x8100, 100}}, 53);
  for (const std::size_t snaplen : {4, 12, 13, 14, 15, 16, 17, 18, 30, 60}) {
    const TemporaryFile file(".pcapng");
    (void)capture(pair.left, words({"-w", file.path(), "--snaplen", std::to_string(snaplen)}),
                  [&] { send_frame(pair.right, "veth1", sent); });
    EXPECT_EQ(packets_in(file.path()), std::vector<Bytes>{first_of(sent, snaplen)}) << snaplen;
  }
}

TEST_P(Tags, AreSeenByFiltersAndFields) {
  const Pair pair;
  const std::vector<Bytes> frames = {frame({{0x8100, 100}}, 53), frame({}, 53), frame({{0x8100, 101}}, 53),
                                     frame({{0x8100, 100}}, 54)};
  const auto run_with = [&](const Words& filter) {
    return capture(pair.left, words(filter), [&] {
      send_frames(pair.right, "veth1", frames);
      send_frames(pair.left, "veth0", frames);
    });
  };
  const auto vlan = run_with({"vlan", "100"});
  ASSERT_EQ(vlan.packets.size(), 4U) << vlan.output;
  for (const auto& packet : vlan.packets) {
    EXPECT_EQ(packet["vlan"], Json::array({100}));
    EXPECT_EQ(packet["size"], frames[0].size());
    EXPECT_EQ(packet["ether_type"], "0x0800");
  }
  EXPECT_EQ(run_with({"--port", "53"}).packets.size(), 6U) << "fields look behind the tag";
  EXPECT_EQ(run_with({"vlan", "and", "udp", "port", "54"}).packets.size(), 2U);
  EXPECT_EQ(run_with({"--port", "54", "vlan", "101"}).packets.size(), 0U);
}

INSTANTIATE_TEST_SUITE_P(Hooks, Tags,
                         testing::Values(Words{}, Words{"--xdp-mode", "native"}, Words{"--xdp-mode", "generic"},
                                         Words{"--transport", "perf"}));

}  // namespace
}  // namespace sonde::test
