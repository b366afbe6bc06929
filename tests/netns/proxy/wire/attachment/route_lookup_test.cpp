// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <chrono>
#include <thread>

#include "actuators/proxy/wire/attachment.hpp"
#include "base/fd.hpp"
#include "harness/netns.hpp"

namespace sonde::test {
namespace {

// To all nodes, from the link-local address of the interface: a default router for half an hour (RFC 4861).
void announce_router(const char* interface) {
  const Fd socket(::socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6));
  const int hops = 255;
  const int index = static_cast<int>(::if_nametoindex(interface));
  ASSERT_EQ(::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof(hops)), 0);
  ASSERT_EQ(::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_MULTICAST_IF, &index, sizeof(index)), 0);
  nd_router_advert message{};
  message.nd_ra_type = ND_ROUTER_ADVERT;
  message.nd_ra_router_lifetime = htons(1800);
  sockaddr_in6 to{};
  to.sin6_family = AF_INET6;
  to.sin6_addr.s6_addr[0] = 0xff;
  to.sin6_addr.s6_addr[1] = 2;
  to.sin6_addr.s6_addr[15] = 1;
  to.sin6_scope_id = static_cast<std::uint32_t>(index);
  ASSERT_EQ(::sendto(socket.get(), &message, sizeof(message), 0, reinterpret_cast<const sockaddr*>(&to), sizeof(to)),
            static_cast<ssize_t>(sizeof(message)));
}

std::string announced_route(const NetworkNamespace& host) { return host.run("ip -6 route show default proto ra"); }

struct AnnouncedHost {
  NetworkNamespace host{NetworkNamespace::Ipv6::on};
  NetworkNamespace router{NetworkNamespace::Ipv6::on};
  AnnouncedHost() {
    for (const auto* each : {&host, &router})
      each->run("echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad; echo 0 > /proc/sys/net/ipv6/conf/all/accept_dad");
    add_veth(host, "veth0", router, "veth1");
    for (int i = 0; i < 100 && announced_route(host).empty(); ++i) {
      router.call([] { announce_router("veth1"); });
      std::this_thread::sleep_for(std::chrono::milliseconds{50});
    }
  }
};

TEST(wire_route_lookup, turns_forwarding_on_for_loopback_alone) {
  const NetworkNamespace host(NetworkNamespace::Ipv6::on);
  host.run("ip link add other0 type ifb");
  host.call([] {
    for (int i = 0; i < 2; ++i) EXPECT_TRUE(proxy::allow_route_lookup());
  });
  for (const std::string ip : {"ipv4", "ipv6"}) {
    const auto of = [&](const std::string& name) {
      return host.run("cat /proc/sys/net/" + ip + "/conf/" + name + "/forwarding");
    };
    EXPECT_EQ(of("lo"), "1\n");
    EXPECT_EQ(of("other0"), "0\n");
    EXPECT_EQ(of("all"), "0\n");
  }
}

TEST(wire_route_lookup, keeps_the_default_route_that_a_router_announced) {
  const AnnouncedHost pair;
  const auto setting = [&] { return pair.host.run("cat /proc/sys/net/ipv6/conf/veth0/accept_ra"); };
  ASSERT_NE(announced_route(pair.host), "");
  ASSERT_EQ(setting(), "1\n");
  pair.host.call([] { EXPECT_TRUE(proxy::allow_route_lookup()); });
  EXPECT_NE(announced_route(pair.host), "");
  EXPECT_EQ(setting(), "1\n");
  EXPECT_EQ(pair.host.run("cat /proc/sys/net/ipv6/conf/lo/forwarding"), "1\n");
}

// Why that takes some care; should the kernel change, the care can go.
TEST(wire_route_lookup, the_kernel_removes_that_route_for_a_plain_write) {
  const AnnouncedHost pair;
  ASSERT_NE(announced_route(pair.host), "");
  pair.host.run("echo 1 > /proc/sys/net/ipv6/conf/lo/forwarding");
  EXPECT_EQ(announced_route(pair.host), "");
}

}  // namespace
}  // namespace sonde::test
