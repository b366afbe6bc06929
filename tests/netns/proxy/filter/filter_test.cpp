// SPDX-License-Identifier: Apache-2.0
// Who may connect, what is left alone, and that lists change without a wrong verdict.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "filtered_host.hpp"
#include "harness/command.hpp"
#include "harness/traffic.hpp"

namespace sonde::test {
namespace {

const std::vector<std::string> interfaces{"friend0", "stranger0"};

TEST(ProxyFilter, LetsAlliesConnectAndStrangersNot) {
  const FilteredHost net;
  const auto ipv4 = listen_in(net.host, "0.0.0.0", 443);
  const auto near = listen_in(net.host, "fd01::1", 443), far = listen_in(net.host, "fd02::1", 443);
  const auto filter =
      net.filter(interfaces, {endpoint("0.0.0.0", 443), endpoint("::", 443)}, {"10.1.0.0/16", "fd01::/64"});
  EXPECT_TRUE(connects(net.ally, "10.1.0.1", 443));
  EXPECT_TRUE(connects(net.ally, "fd01::1", 443));
  EXPECT_FALSE(connects(net.stranger, "10.2.0.1", 443));
  EXPECT_FALSE(connects(net.stranger, "fd02::1", 443));
  const auto counts = filter->counts();
  ASSERT_TRUE(counts);
  EXPECT_GE(counts->passed, 4U);
  EXPECT_GE(counts->dropped, 2U);
}

// ssh and all else that is no listener of the proxy's, and connections of the proxy's own.
TEST(ProxyFilter, LeavesOtherPortsAddressesAndOwnConnectionsAlone) {
  const FilteredHost net;
  const auto ssh = listen_in(net.host, "0.0.0.0", 22);
  const auto neighbour = listen_in(net.host, "10.1.0.1", 443);  // same port, not the proxy's address
  const auto upstream = listen_in(net.stranger, "0.0.0.0", 443);
  const auto filter = net.filter(interfaces, {endpoint("10.2.0.1", 443)}, {"10.1.0.0/16"});
  EXPECT_TRUE(connects(net.stranger, "10.2.0.1", 22));
  EXPECT_TRUE(connects(net.stranger, "10.1.0.1", 443));
  EXPECT_FALSE(connects(net.stranger, "10.2.0.1", 443));
  const auto client = connect_from(net.host, "10.2.0.2", 443);
  ASSERT_TRUE(client);
  const auto server = accept_from(upstream);
  char byte = 'u';
  ASSERT_EQ(::send(server.get(), &byte, 1, 0), 1);
  ASSERT_EQ(::recv(client.get(), &byte, 1, MSG_WAITALL), 1);
  net.stranger.run("ping -c1 -W2 10.2.0.1");
}

TEST(ProxyFilter, LeavesAloneWhatTheHostRoutesToOthers) {
  const FilteredHost net;
  net.host.run("echo 1 > /proc/sys/net/ipv4/ip_forward");
  const auto other = listen_in(net.ally, "0.0.0.0", 443);
  const auto own = listen_in(net.host, "0.0.0.0", 443);
  const auto filter = net.filter(interfaces, {endpoint("0.0.0.0", 443)}, {"10.1.0.0/16"});
  EXPECT_TRUE(connects(net.stranger, "10.1.0.2", 443));
  EXPECT_FALSE(connects(net.stranger, "10.2.0.1", 443));
  EXPECT_FALSE(connects(net.stranger, "10.1.0.1", 443));
}

TEST(ProxyFilter, ConnectionsThatStandGoOnWhenTheirClientIsTakenOffTheList) {
  const FilteredHost net;
  const auto listener = listen_in(net.host, "0.0.0.0", 443);
  const std::vector listeners{endpoint("0.0.0.0", 443)};
  const auto filter = net.filter(interfaces, listeners, {"10.2.0.0/16"});
  const auto client = connect_from(net.stranger, "10.2.0.1", 443);
  ASSERT_TRUE(client);
  const auto server = accept_from(listener);
  ASSERT_TRUE(filter->set(listeners, networks({"10.1.0.0/16"})));
  EXPECT_FALSE(connects(net.stranger, "10.2.0.1", 443));
  char byte = 'a';
  ASSERT_EQ(::send(client.get(), &byte, 1, 0), 1);
  EXPECT_EQ(::recv(server.get(), &byte, 1, MSG_WAITALL), 1);
}

// As the proxy does after it has become another user.
TEST(ProxyFilter, ListsChangeWithoutPrivileges) {
  const FilteredHost net;
  const auto listener = listen_in(net.host, "0.0.0.0", 443);
  const std::vector listeners{endpoint("0.0.0.0", 443)};
  const auto filter = net.filter(interfaces, listeners, {"10.1.0.0/16"});
  EXPECT_FALSE(connects(net.stranger, "10.2.0.1", 443));
  Result<void> changed;
  std::thread nobody([&] {
    if (::syscall(SYS_setresuid, 65534, 65534, 65534) == 0)  // of this thread only
      changed = filter->set(listeners, networks({"10.2.0.0/16"}));
    else
      changed = fail_errno("setresuid");
  });
  nobody.join();
  ASSERT_TRUE(changed) << changed.error().text();
  EXPECT_TRUE(connects(net.stranger, "10.2.0.1", 443));
  EXPECT_FALSE(connects(net.ally, "10.1.0.1", 443));
}

// Both pairs of lists allow the ally and forbid the stranger; connections go on while one replaces the other.
TEST(ProxyFilter, NoWrongVerdictWhileListsChangeUnderTraffic) {
  const FilteredHost net;
  const auto listener = listen_in(net.host, "0.0.0.0", 443);
  const std::vector few{endpoint("0.0.0.0", 443)};
  const std::vector many{endpoint("10.1.0.1", 443), endpoint("10.2.0.1", 443), endpoint("10.2.0.1", 8443)};
  const auto filter = net.filter(interfaces, few, {"10.1.0.0/16"});
  ASSERT_TRUE(connects(net.ally, "10.1.0.1", 443));  // neighbours are known now
  ASSERT_TRUE(net.stranger.run("ping -c1 -W2 10.2.0.1").find(" 0% packet loss") != std::string::npos);
  const auto dropped_before = filter->counts()->dropped;
  const auto resent_before = tcp_counter(net.ally, "RetransSegs");
  std::atomic<bool> stop = false;
  std::uint64_t good = 0, bad = 0, sent = 0;
  std::thread ally([&] {
    while (!stop) ++(connects(net.ally, "10.1.0.1", 443) ? good : bad);
  });
  std::thread accepting([&] {
    while (!stop) {
      const Fd taken(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!taken) std::this_thread::yield();
    }
  });
  std::thread stranger([&] {
    const auto mac = [&](const NetworkNamespace& where, const char* name) {
      Bytes bytes;
      for (const auto& part :
           split(where.run(std::string("ip -br link show dev ") + name + " | awk '{printf \"%s\", $3}'"), ':'))
        bytes.push_back(static_cast<std::uint8_t>(std::stoul(part, nullptr, 16)));
      return bytes;
    };
    auto frame = ethernet({}, ipv4({.source = {10, 2, 0, 2}, .destination = {10, 2, 0, 1}},
                                   tcp({.source_port = 5000, .destination_port = 443, .flags = 2})));
    const auto to = mac(net.host, "stranger0"), from = mac(net.stranger, "eth0");
    std::ranges::copy(to, frame.begin());
    std::ranges::copy(from, frame.begin() + 6);
    while (!stop) {
      send_frame(net.stranger, "eth0", frame, 50);
      sent += 50;
    }
  });
  std::vector<GuardNetwork> long_list;
  for (int i = 0; i < 200; ++i) long_list.push_back(networks({"10.1." + std::to_string(i) + ".0/24"}).front());
  for (int i = 0; i < 60; ++i) {
    EXPECT_TRUE(filter->set(i % 2 == 0 ? many : few, i % 2 == 0 ? long_list : networks({"10.1.0.0/16"})));
  }
  stop = true;
  ally.join();
  accepting.join();
  stranger.join();
  EXPECT_GT(good, 20U);
  EXPECT_EQ(bad, 0U);
  EXPECT_EQ(tcp_counter(net.ally, "RetransSegs"), resent_before) << "a segment of the ally's was dropped";
  EXPECT_GT(sent, 100U);
  for (int i = 0; i < 100 && filter->counts()->dropped - dropped_before != sent; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds{20});
  EXPECT_EQ(filter->counts()->dropped - dropped_before, sent);
}

}  // namespace
}  // namespace sonde::test
