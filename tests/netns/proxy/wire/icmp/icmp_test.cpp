// SPDX-License-Identifier: Apache-2.0
// Ways that take no longer packets than 1300 bytes from some moment on, and what the peers' kernels make of what they
// are told then.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <thread>
#include <tuple>

#include "on_the_wire.hpp"

namespace sonde::test {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t much = 4 << 20;

class wire_path_mtu : public testing::TestWithParam<std::tuple<bool, bool>> {
 protected:
  bool client_ipv6_ = std::get<0>(GetParam()), server_ipv6_ = std::get<1>(GetParam());

  Endpoint proxy_at() const { return endpoint_at(client_ipv6_ ? proxy_ipv6 : proxy_ipv4, proxy_port); }

  static void expect_quick(Talker& from, Talker& to) {
    const auto began = std::chrono::steady_clock::now();
    std::thread sender([&] { EXPECT_TRUE(from.send(much)); });
    EXPECT_TRUE(to.receive(much));
    sender.join();
    EXPECT_LT(std::chrono::steady_clock::now() - began, 3s);
  }

  WiredHosts hosts_;
};
INSTANTIATE_TEST_SUITE_P(families, wire_path_mtu, testing::Combine(testing::Bool(), testing::Bool()),
                         [](const auto& way) {
                           return fmt::format("client_{}_server_{}", std::get<0>(way.param) ? "ipv6" : "ipv4",
                                              std::get<1>(way.param) ? "ipv6" : "ipv4");
                         });

// The interface that packets leave by. They come by a veth pair, so that their checksum is left to the device.
TEST_P(wire_path_mtu, of_the_proxys_own_interface) {
  OnTheWire wire(hosts_, {.client_ipv6 = client_ipv6_, .server_ipv6 = server_ipv6_});
  auto conversation = wire.joined();
  expect_quick(conversation.client, conversation.server);
  hosts_.proxy.run("ip link set east mtu 1300");
  std::this_thread::sleep_for(1100ms);  // the program looks the route up once a second
  expect_quick(conversation.client, conversation.server);
  const auto statistics = wire.proxy().status()["wire"]["errors_sent"];
  EXPECT_GE(statistics.get<std::uint64_t>(), 1U);
  EXPECT_LE(statistics.get<std::uint64_t>(), 200U) << "the client has not heard of it";
  hosts_.proxy.run("ip link set east mtu 1500; ip link set west mtu 1300");
  std::this_thread::sleep_for(1100ms);
  expect_quick(conversation.server, conversation.client);
  EXPECT_EQ(kernel_counter(hosts_.client, "IcmpInCsumErrors"), 0U);
  EXPECT_EQ(kernel_counter(hosts_.client, "Icmp6InCsumErrors"), 0U);
}

// A router behind the proxy says so to the proxy.
TEST_P(wire_path_mtu, of_a_router_on_the_way) {
  const NetworkNamespace far{NetworkNamespace::Ipv6::on};
  const auto& router = hosts_.server;
  add_veth(router, "far", far, "eth0");
  router.run(
      "ip addr add 10.8.5.1/24 dev far; ip addr add fd08:5::1/64 dev far nodad; echo 1 > "
      "/proc/sys/net/ipv4/ip_forward; "
      "echo 1 > /proc/sys/net/ipv6/conf/all/forwarding");
  far.run(
      "ip addr add 10.8.5.2/24 dev eth0; ip addr add fd08:5::2/64 dev eth0 nodad; ip route add default via 10.8.5.1; "
      "ip -6 route add default via fd08:5::1");
  hosts_.proxy.run("ip route add 10.8.5.0/24 via 10.8.2.1; ip -6 route add fd08:5::/64 via fd08:2::1");
  const Listening listening(far, endpoint_at(server_ipv6_ ? "fd08:5::2" : "10.8.5.2", server_port));
  auto config = one_route(client_ipv6_ ? "[fd08:1::2]:8443" : "10.8.1.2:8443",
                          server_ipv6_ ? "[fd08:5::2]:9443" : "10.8.5.2:9443");
  config["forwarding"] = wire_forwarding();
  const Proxied proxy(hosts_.proxy, config);
  auto conversation = meet(hosts_.client, listening, {.proxy = proxy_at()});
  EXPECT_TRUE(conversation.talk());
  EXPECT_TRUE(comes_to_the_wire(hosts_.proxy, conversation.client_end));
  expect_quick(conversation.client, conversation.server);
  router.run("ip link set far mtu 1300");
  expect_quick(conversation.client, conversation.server);
  const auto translated = proxy.status()["wire"]["errors_translated"].get<std::uint64_t>();
  EXPECT_GE(translated, 1U);
  EXPECT_LE(translated, 200U);
  EXPECT_EQ(kernel_counter(hosts_.client, "IcmpInCsumErrors"), 0U);
  EXPECT_EQ(kernel_counter(hosts_.client, "Icmp6InCsumErrors"), 0U);
}

}  // namespace
}  // namespace sonde::test
