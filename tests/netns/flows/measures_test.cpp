// SPDX-License-Identifier: Apache-2.0
// Numbers that the kernel tells too: retransmissions, round trip times, who owns a socket. And names.
#include <gtest/gtest.h>

#include <regex>

#include "flow_watch.hpp"
#include "harness/owner_hook.hpp"
#include "harness/process.hpp"
#include "harness/traffic.hpp"

namespace sonde::test {
namespace {

FlowWatchOptions on(const std::string& interface, packets::OwnersChoice owners) {
  FlowWatchOptions options;
  options.interfaces = {interface};
  options.flows.owners = owners;
  options.flows.owner = with_owner_hook({});
  return options;
}

std::uint64_t retransmitted(const NetworkNamespace& where) {
  return std::stoull(where.run("nstat -asz TcpRetransSegs | awk '/Retrans/{print $2}'"));
}

TEST(Retransmissions, AreThoseOfTheKernel) {
  const Pair pair;
  pair.right.run(
      "nft add table ip t && nft add chain ip t i '{ type filter hook input priority 0; }' && "
      "nft add rule ip t i tcp dport 9001 numgen random mod 25 == 0 drop");
  pair.left.run("ethtool -K veth0 tso off gso off");  // the rule drops segments, not 64 KiB of them at a time
  const auto before = retransmitted(pair.left);
  FlowWatch watch(pair.left, on("veth0", packets::OwnersChoice::off));
  Process server(pair.right, {"sh", "-c", "nc -d -l -p 9001 > /dev/null"});
  wait_for_listener(pair.right, 9001);
  pair.left.run("head -c 3000000 /dev/zero | nc -q 1 10.9.0.2 9001");
  server.wait();
  const auto seen = watch.stop();
  const auto flows = seen.to_port(9001);
  ASSERT_EQ(flows.size(), 1U) << seen.text();
  const auto count = retransmitted(pair.left) - before;
  EXPECT_GT(count, 20U) << "the rule drops nothing" << seen.text();
  EXPECT_EQ(flows[0].flow.sides[0].retransmissions, count);
  expect_balanced(seen);
}

// A relay between two tun devices that holds every packet for 20 ms.
constexpr const char* relay = R"(
import ctypes, fcntl, heapq, os, select, struct, sys, time
def tun(name):
    fd = os.open('/dev/net/tun', os.O_RDWR)
    fcntl.ioctl(fd, 0x400454ca, struct.pack('16sH', name, 0x1001))
    return fd
left = tun(b'tun0')
there = os.open(sys.argv[1], os.O_RDONLY)
assert ctypes.CDLL(None, use_errno=True).setns(there, 0x40000000) == 0
right = tun(b'tun1')
print('ready', flush=True)
other, held = {left: right, right: left}, []
while True:
    wait = max(0, held[0][0] - time.monotonic()) if held else None
    for fd in select.select([left, right], [], [], wait)[0]:
        heapq.heappush(held, (time.monotonic() + 0.02, other[fd], os.read(fd, 65536)))
    while held and held[0][0] <= time.monotonic():
        _, fd, packet = heapq.heappop(held)
        os.write(fd, packet)
)";

TEST(HandshakeTime, IsTheRoundTripTimeOfTheSocket) {
  const NetworkNamespace left;
  const NetworkNamespace right;
  Process delay(left,
                {"python3", "-c", relay, "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(right.fd())});
  ASSERT_TRUE(delay.wait_for_output_text("ready")) << delay.errors();
  left.run("ip address add 10.8.0.1 peer 10.8.0.2 dev tun0 && ip link set tun0 up");
  right.run("ip address add 10.8.0.2 peer 10.8.0.1 dev tun1 && ip link set tun1 up");
  FlowWatch watch(left, on("tun0", packets::OwnersChoice::off));
  const Process server(right, {"nc", "-l", "-p", "9002"});
  wait_for_listener(right, 9002);
  const Process client(left, {"nc", "-d", "10.8.0.2", "9002"});
  wait_for_connection(left, 9002);
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  const auto sockets = left.run("ss -tin dst 10.8.0.2");
  std::smatch rtt;
  ASSERT_TRUE(std::regex_search(sockets, rtt, std::regex(" rtt:([0-9.]+)/"))) << sockets;
  const auto seen = watch.stop();
  const auto flows = seen.to_port(9002);
  ASSERT_EQ(flows.size(), 1U) << seen.text();
  ASSERT_TRUE(flows[0].flow.handshake_time.has_value());
  const auto ours = std::chrono::duration<double, std::milli>(*flows[0].flow.handshake_time).count();
  EXPECT_NEAR(ours, std::stod(rtt[1]), 1.5) << sockets;
  EXPECT_GT(ours, 39.0);
}

TEST(Owners, OfBothEndsOfALoopbackFlow) {
  const NetworkNamespace where;
  FlowWatch watch(where, on("lo", packets::OwnersChoice::required));
  const Process server(where, {"nc", "-d", "-l", "-p", "9003"});
  wait_for_listener(where, 9003);
  Process client(where, {"nc", "-d", "127.0.0.1", "9003"});
  wait_for_connection(where, 9003);
  client.signal(SIGTERM);
  client.wait();
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  const auto seen = watch.stop();
  const auto flows = seen.to_port(9003);
  ASSERT_EQ(flows.size(), 1U) << seen.text();
  const auto& [opener, responder] = flows[0].flow.sides;
  EXPECT_EQ(opener.owner.owner.pid, static_cast<std::uint32_t>(client.pid()));
  EXPECT_EQ(responder.owner.owner.pid, static_cast<std::uint32_t>(server.pid()));
}

class Names : public testing::TestWithParam<packets::XdpChoice> {};

TEST_P(Names, OfTlsAndDns) {
  const Pair pair;
  const TemporaryFile key(".pem");
  pair.right.run("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=x -days 1 -keyout " +
                 key.path() + " -out " + key.path() + ".crt 2> /dev/null");
  auto options = on("veth0", packets::OwnersChoice::off);
  options.flows.attach.xdp = GetParam();
  options.flows.dns = true;
  options.flows.arp = true;
  FlowWatch watch(pair.left, options);
  const Process server(pair.right, {"openssl", "s_server", "-accept", "9006", "-key", key.path(), "-cert",
                                    key.path() + ".crt", "-alpn", "h2", "-quiet"});
  wait_for_listener(pair.right, 9006);
  pair.left.run(
      "echo | openssl s_client -connect 10.9.0.2:9006 -servername name.example -alpn h2,http/1.1 > /dev/null 2>&1; "
      "true");
  const std::string query(
      "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07"
      "example\x03"
      "org\x00\x00\x01\x00\x01",
      29);
  const auto question = ethernet({}, ipv4({.protocol = 17, .source = {10, 9, 0, 1}, .destination = {10, 9, 0, 2}},
                                          udp({.source_port = 5353}, Bytes(query.begin(), query.end()))));
  send_frame(pair.left, "veth0", question, 2);
  send_frame(pair.right, "veth1", ethernet({.type = ether_arp, .broadcast = true}, arp_request()), 2);
  const auto seen = watch.stop();
  std::remove((key.path() + ".crt").c_str());
  const auto tls = seen.to_port(9006);
  ASSERT_EQ(tls.size(), 1U) << seen.text();
  EXPECT_EQ(tls[0].flow.name, "name.example");
  EXPECT_EQ(tls[0].flow.alpn, "h2,http/1.1");
  EXPECT_EQ(tls[0].flow.name_source, FlowNameSource::tls);
  const auto dns = seen.to_port(53);
  ASSERT_EQ(dns.size(), 1U) << seen.text();
  EXPECT_EQ(dns[0].flow.name, "example.org");
  EXPECT_EQ(dns[0].flow.name_source, FlowNameSource::dns);
  EXPECT_EQ(seen.packets.size(), 4U) << "two questions, two ARP requests";
}

INSTANTIATE_TEST_SUITE_P(Hooks, Names, testing::Values(packets::XdpChoice::off, packets::XdpChoice::native));

}  // namespace
}  // namespace sonde::test
