// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <pwd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstring>
#include <thread>

#include "actuators/proxy/process/privileges.hpp"
#include "counted.hpp"
#include "harness/command.hpp"
#include "harness/process.hpp"
#include "kernel/attach.hpp"
#include "kernel/pins.hpp"

namespace sonde::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;

bool has_tcx(const proxy::Attachment& attachment) { return attachment.interfaces().at(0).hook == "tcx"; }

TEST(wire_attachment, takes_what_hands_packets_to_the_stack) {
  const Host host;
  host.inside.run(
      "ip link add bridge0 type bridge; ip link add port0 type ifb; ip link set port0 master bridge0; "
      "ip tuntap add tunnel0 mode tun; ip link add down0 type ifb");
  const Counter counter;
  const auto attachment = host.attach(counter, "");
  EXPECT_THAT(host.names(*attachment), ElementsAre("bridge0", "down0", "tunnel0", "veth0"));
  host.ping();
  EXPECT_EQ(counter.hits(host.ifindex("veth0")), 1U);
}

TEST(wire_attachment, takes_members_of_a_vrf) {
  const Host host;
  if (host.inside.run("ip link add vrf0 type vrf table 100 2>/dev/null || echo none") == "none\n")
    GTEST_SKIP() << "this kernel has no VRF";
  host.inside.run("ip link add routed0 type ifb; ip link set routed0 master vrf0");
  const Counter counter;
  const auto attachment = host.attach(counter, "");
  EXPECT_THAT(host.names(*attachment), ElementsAre("routed0", "veth0", "vrf0"));
}

// As if the packet had been received by the tunnel.
void receive_by_tunnel(const char* name) {
  const Fd tunnel(::open("/dev/net/tun", O_RDWR | O_CLOEXEC));
  ifreq request{};
  std::strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  request.ifr_flags = IFF_TUN | IFF_NO_PI;
  ASSERT_EQ(::ioctl(tunnel.get(), TUNSETIFF, &request), 0);
  run("ip link set tunnel0 up");
  const std::array<std::uint8_t, 20> packet{0x45, 0, 0, 20, 0, 0, 0, 0, 64, 255, 0, 0, 10, 8, 0, 2, 10, 8, 0, 1};
  ASSERT_EQ(::write(tunnel.get(), packet.data(), packet.size()), 20);
}

TEST(wire_attachment, packets_without_a_link_header_have_their_program) {
  const Host host;
  host.inside.run("ip tuntap add tunnel0 mode tun");
  const Counter counter;
  const auto attachment = host.attach(counter, "");
  host.inside.call([] { receive_by_tunnel("tunnel0"); });
  host.ping();
  EXPECT_EQ(counter.raw_hits(host.ifindex("tunnel0")), 1U);
  EXPECT_EQ(counter.hits(host.ifindex("tunnel0")), 0U);
  EXPECT_EQ(counter.hits(host.ifindex("veth0")), 1U);
  EXPECT_EQ(counter.raw_hits(host.ifindex("veth0")), 0U);
}

TEST(wire_attachment, without_a_folder_it_ends_with_its_object) {
  const Host host;
  const auto before = host.clsact("veth0");
  const Counter counter;
  auto attachment = host.attach(counter, "");
  host.ping();
  host.inside.call([&] { attachment.reset(); });
  host.ping();
  EXPECT_EQ(counter.hits(host.ifindex("veth0")), 1U);
  EXPECT_EQ(host.clsact("veth0"), before);
}

TEST(wire_attachment, stands_behind_the_others) {
  const Host host;
  const Counter counter;
  const Counter other;
  const auto dropping = [&] {
    auto link = kernel::attach_tcx(other.dropping_program(), host.ifindex("veth0"), kernel::TcDirection::ingress);
    if (!link)
      link = kernel::attach_clsact(other.dropping_program(), host.ifindex("veth0"), kernel::TcDirection::ingress);
    EXPECT_TRUE(link);
    return std::make_unique<kernel::Link>(std::move(*link));
  };
  std::unique_ptr<kernel::Link> first;
  host.inside.call([&] { first = dropping(); });
  const auto attachment = host.attach(counter, "");
  host.inside.run("! ping -c 1 -W 1 -q 10.9.0.2");
  EXPECT_EQ(counter.hits(host.ifindex("veth0")), 0U);
  host.inside.call([&] { first.reset(); });
  host.ping();
  EXPECT_EQ(counter.hits(host.ifindex("veth0")), 1U);
}

TEST(wire_attachment, follows_interfaces) {
  const Host host;
  const Counter counter;
  const PinFolder folder;
  const auto attachment = host.attach(counter, folder.path());
  const auto follow = [&] { host.inside.call([&] { attachment->follow(); }); };
  follow();
  EXPECT_THAT(host.names(*attachment), ElementsAre("veth0"));
  host.inside.run("ip link add new0 type ifb");
  follow();
  EXPECT_THAT(host.names(*attachment), ElementsAre("new0", "veth0"));
  host.inside.run("ip link add bridge0 type bridge; ip link set new0 master bridge0");
  follow();
  EXPECT_THAT(host.names(*attachment), ElementsAre("bridge0", "veth0"));
  EXPECT_EQ(folder.names().size(), has_tcx(*attachment) ? 2U : 0U);
  host.inside.run("ip link del bridge0");
  follow();
  EXPECT_THAT(host.names(*attachment), ElementsAre("new0", "veth0"));
  host.inside.run("ip link del new0");
  follow();
  EXPECT_THAT(host.names(*attachment), ElementsAre("veth0"));
  EXPECT_EQ(folder.names().size(), has_tcx(*attachment) ? 1U : 0U);
  host.inside.call([&] { EXPECT_TRUE(proxy::Attachment::remove(folder.path())); });
}

// An interface keeps its number while it is elsewhere; the kernel may take the program off on the way.
TEST(wire_attachment, an_interface_that_comes_back_has_it_again) {
  const Host host;
  const Counter counter;
  const PinFolder folder;
  const auto attachment = host.attach(counter, folder.path());
  const auto ifindex = host.ifindex("veth0");
  const NetworkNamespace elsewhere;
  host.inside.run("ip link set veth0 netns " + elsewhere.path());
  elsewhere.run("ip link set veth0 netns " + host.inside.path());
  ASSERT_EQ(host.ifindex("veth0"), ifindex);
  host.inside.run("ip link set veth0 up; ip addr add 10.9.0.1/24 dev veth0");
  host.inside.call([&] { attachment->follow(); });
  EXPECT_THAT(host.names(*attachment), ElementsAre("veth0"));
  const auto before = counter.hits(ifindex);
  host.inside.run("ping -c 1 -W 5 -q 10.9.0.2");
  EXPECT_GT(counter.hits(ifindex), before);
  host.inside.call([&] { EXPECT_TRUE(proxy::Attachment::remove(folder.path())); });
}

TEST(wire_attachment, stays_when_its_process_is_killed_and_remove_leaves_nothing) {
  const Host host;
  const auto before = host.clsact("veth0");
  const Counter counter;
  const PinFolder folder;
  Child child(host.inside, [&](const Child::Steps& steps) {
    const auto attachment = proxy::Attachment::make(counter.programs(), folder.path());
    steps.done();
    steps.wait();
    return attachment.has_value();
  });
  child.wait_until_done();
  child.kill();
  host.ping();
  const auto ifindex = host.ifindex("veth0");
  EXPECT_EQ(counter.hits(ifindex), 1U);
  host.inside.call([&] { EXPECT_TRUE(proxy::Attachment::remove(folder.path())); });
  host.ping();
  EXPECT_EQ(counter.hits(ifindex), 1U);
  EXPECT_THAT(folder.names(), IsEmpty());
  EXPECT_EQ(host.clsact("veth0"), before);
  host.inside.call([&] { EXPECT_TRUE(proxy::Attachment::remove(folder.path())); });
}

// Each packet that the interface received was seen by exactly one of the programs, however often they were exchanged.
TEST(wire_attachment, a_successor_exchanges_the_program_and_no_packet_goes_by) {
  const Host host;
  const PinFolder folder;
  const auto ifindex = host.ifindex("veth0");
  std::vector<std::unique_ptr<Counter>> counters;
  counters.push_back(std::make_unique<Counter>());
  auto attachment = host.attach(*counters.back(), folder.path());
  const auto received = interface_counter(host.inside, "veth0", "rx_packets");
  {
    Process flood(host.inside, {"ping", "-q", "-f", "10.9.0.2"});
    const auto expect_packets = [&] {
      for (int i = 0; i < 2000 && counters.back()->hits(ifindex) == 0; ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds{5});
      EXPECT_GT(counters.back()->hits(ifindex), 0U);
    };
    for (int i = 0; i < 20; ++i) {
      expect_packets();
      counters.push_back(std::make_unique<Counter>());
      attachment = host.attach(*counters.back(), folder.path());
    }
    expect_packets();
    flood.signal(SIGINT);
    EXPECT_EQ(flood.wait(), 0) << flood.errors();
  }
  std::uint64_t seen = 0;
  for (const auto& counter : counters) seen += counter->hits(ifindex);
  EXPECT_EQ(seen, interface_counter(host.inside, "veth0", "rx_packets") - received);
  host.inside.call([&] { EXPECT_TRUE(proxy::Attachment::remove(folder.path())); });
}

TEST(wire_attachment, what_an_earlier_process_left_on_a_member_of_a_bridge_is_taken_off) {
  const Host host;
  host.inside.run("ip link add port0 type ifb");
  const Counter counter;
  const PinFolder folder;
  (void)host.attach(counter, folder.path());
  host.inside.run("ip link add bridge0 type bridge; ip link set port0 master bridge0");
  const auto attachment = host.attach(counter, folder.path());
  EXPECT_THAT(host.names(*attachment), ElementsAre("bridge0", "veth0"));
  EXPECT_EQ(host.clsact("port0"), "");
  EXPECT_THAT(folder.names(), Not(testing::Contains("link-" + std::to_string(host.ifindex("port0")))));
  host.inside.call([&] { EXPECT_TRUE(proxy::Attachment::remove(folder.path())); });
}

TEST(wire_attachment, follows_and_pins_with_the_capabilities_that_the_proxy_keeps) {
  const Host host;
  const Counter counter;
  const PinFolder folder;
  const auto* const nobody = ::getpwnam("nobody");
  ASSERT_NE(nobody, nullptr);
  ASSERT_EQ(::chown(folder.path().c_str(), nobody->pw_uid, nobody->pw_gid), 0);
  Child child(host.inside, [&](const Child::Steps& steps) {
    const auto attachment = proxy::Attachment::make(counter.programs(), folder.path());
    if (!attachment || !proxy::drop_privileges("nobody") || ::geteuid() == 0) return false;
    steps.done();
    steps.wait();
    (*attachment)->follow();
    bool good = (*attachment)->interfaces().size() == 2;
    for (const auto& interface : (*attachment)->interfaces()) {
      good = good && interface.failure.empty();
      if (!interface.failure.empty()) fprintf(stderr, "%s: %s\n", interface.name.c_str(), interface.failure.c_str());
    }
    steps.done();
    steps.wait();
    (*attachment)->follow();
    return good && (*attachment)->interfaces().size() == 1;
  });
  child.wait_until_done();
  host.inside.run("ip link add new0 type ifb");
  child.go_on();
  child.wait_until_done();
  const bool has_links = !folder.names().empty();  // else clsact
  EXPECT_EQ(folder.names().size(), has_links ? 2U : 0U);
  EXPECT_EQ(host.clsact("new0").find("count_packet") != std::string::npos, !has_links);
  host.inside.run("ip link del new0");
  child.go_on();
  EXPECT_EQ(child.join(), 0);
  EXPECT_EQ(folder.names().size(), has_links ? 1U : 0U);
  host.ping();
  EXPECT_EQ(counter.hits(host.ifindex("veth0")), 1U);
  host.inside.call([&] { EXPECT_TRUE(proxy::Attachment::remove(folder.path())); });
}

}  // namespace
}  // namespace sonde::test
