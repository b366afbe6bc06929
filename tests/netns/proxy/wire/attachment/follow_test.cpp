// SPDX-License-Identifier: Apache-2.0
// The built program, which has dropped its privileges, and interfaces that come and go.
#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <stdexcept>
#include <thread>

#include "on_the_wire.hpp"

namespace sonde::test {
namespace {

using namespace std::chrono_literals;

std::map<std::string, std::string> hooks(const Proxied& proxy) {
  std::map<std::string, std::string> found;
  const auto status = proxy.status();
  if (!status.contains("wire")) throw std::runtime_error("no wire: " + status.at("forwarding").dump());
  for (const auto& interface : status["wire"]["interfaces"]) found[interface["name"]] = interface["hook"];
  return found;
}

bool comes(const Proxied& proxy, const std::string& name, bool there = true) {
  for (int i = 0; i < 100; ++i) {
    if (hooks(proxy).contains(name) == there) return true;
    std::this_thread::sleep_for(50ms);
  }
  return false;
}

TEST(wire_follow, a_connection_goes_by_an_interface_that_came_later) {
  const WiredHosts hosts;
  const NetworkNamespace far{NetworkNamespace::Ipv6::on};
  auto config = one_route("10.8.1.2:8443", "10.8.6.1:9443");
  config["forwarding"] = wire_forwarding();
  const Proxied proxy(hosts.proxy, config);
  const auto first = hooks(proxy);
  ASSERT_EQ(first.size(), 2U);
  EXPECT_FALSE(first.at("west").empty());

  add_veth(hosts.proxy, "later", far, "eth0");
  hosts.proxy.run("ip addr add 10.8.6.2/24 dev later");
  far.run("ip addr add 10.8.6.1/24 dev eth0");
  ASSERT_TRUE(comes(proxy, "later"));
  EXPECT_EQ(hooks(proxy).at("later"), first.at("west"));
  const Listening listening(far, endpoint_at("10.8.6.1", server_port));
  auto conversation = meet(hosts.client, listening);
  EXPECT_TRUE(conversation.talk());
  EXPECT_TRUE(comes_to_the_wire(hosts.proxy, conversation.client_end));
  EXPECT_TRUE(conversation.talk(100'000));

  hosts.proxy.run("ip link del later");
  EXPECT_TRUE(comes(proxy, "later", false));
  EXPECT_EQ(hooks(proxy), first);
}

}  // namespace
}  // namespace sonde::test
