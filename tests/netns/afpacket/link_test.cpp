// SPDX-License-Identifier: Apache-2.0
// VLAN tags and interfaces without a link header.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstring>
#include <stdexcept>

#include "frames.hpp"

namespace sonde::test {
namespace {

std::string text(const SeenPacket& packet) { return {packet.bytes.begin(), packet.bytes.end()}; }

TEST(AfPacketVlan, TagsAreInTheBytesAsOnTheWire) {
  const Joined joined;
  const auto source = open_in(joined.right, options_for("veth1"));
  const std::string tags[] = {"81006005",
                              "88a80064"
                              "81000007",
                              "8100"
                              "0fff"};
  for (const auto& tag : tags) send_frame(joined.left, "veth0", udp_frame(1000, 18, tag));
  const auto seen = stop_and_drain(*source);
  ASSERT_EQ(seen.packets.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(text(seen.packets[i]), udp_frame(1000, 18, tags[i]));
    EXPECT_EQ(seen.packets[i].event.packet_size, udp_frame(1000, 18, tags[i]).size());
    EXPECT_EQ(seen.packets[i].event.source_port, 1000);
  }
  EXPECT_EQ(seen.packets[0].event.vlan_outer, 0x6005);
  EXPECT_EQ(seen.packets[1].event.vlan_outer, 0x0064);
  EXPECT_EQ(seen.packets[1].event.vlan_inner, 0x0007);
  EXPECT_TRUE(seen.packets[1].event.flags & SONDE_PACKET_QINQ);
}

// The user's end of a tun device: what is written there, the interface receives.
class TunDevice {
 public:
  explicit TunDevice(const NetworkNamespace& where) {
    where.call([&] {
      fd_.reset(::open("/dev/net/tun", O_RDWR | O_CLOEXEC));
      ifreq request{};
      request.ifr_flags = IFF_TUN | IFF_NO_PI;
      std::strcpy(request.ifr_name, "tun0");
      if (!fd_ || ::ioctl(fd_.get(), TUNSETIFF, &request) != 0) throw std::runtime_error("cannot make tun0");
    });
    where.run("ip addr add 10.8.0.1/24 dev tun0 && ip link set tun0 up");
  }
  void receive(const std::string& packet) {
    EXPECT_EQ(::write(fd_.get(), packet.data(), packet.size()), static_cast<ssize_t>(packet.size()));
  }

 private:
  Fd fd_;
};

TEST(AfPacketLink, TunCarriesBareIp) {
  const NetworkNamespace alone;
  TunDevice tun(alone);
  const auto source = open_in(alone, options_for("tun0"));
  const auto packet = udp_frame(1000).substr(14);
  tun.receive(packet);
  alone.run("ping -c 1 -W 1 10.8.0.2 > /dev/null; true");
  const auto seen = stop_and_drain(*source);
  ASSERT_EQ(seen.packets.size(), 2U);
  EXPECT_EQ(text(seen.packets[0]), packet);
  EXPECT_EQ(seen.packets[0].event.source_port, 1000);
  EXPECT_EQ(seen.packets[0].event.direction, SONDE_DIRECTION_IN);
  EXPECT_EQ(seen.packets[1].event.protocol, 1);
  EXPECT_EQ(seen.packets[1].event.packet_size, 84U);
  EXPECT_EQ(seen.packets[1].bytes.at(0), 0x45);
  EXPECT_EQ(seen.packets[1].event.direction, SONDE_DIRECTION_OUT);
  for (const auto& each : seen.packets) {
    EXPECT_EQ(each.event.status, SONDE_PARSE_OK);
    EXPECT_EQ(source->interfaces().at(each.event.header.ifindex).link_type, LinkType::raw_ip);
  }
}

}  // namespace
}  // namespace sonde::test
