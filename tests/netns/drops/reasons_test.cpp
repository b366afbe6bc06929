// SPDX-License-Identifier: Apache-2.0
// Each reason that can be provoked, with its owner, and as many drops as the kernel's own counters say.
#include <bpf/bpf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "harness/owner_hook.hpp"
#include "harness/traffic.hpp"
#include "kernel/attach.hpp"
#include "kernel/symbols.hpp"
#include "kernel/tracing.hpp"
#include "sockets.hpp"
#include "watch.hpp"

namespace sonde::test {
namespace {

using Ipv6 = NetworkNamespace::Ipv6;

constexpr std::uint16_t port = 5140;

const std::uint32_t own_pid = static_cast<std::uint32_t>(::getpid());

struct Family {
  int number;
  const char* right;  // address of Pair's right namespace
  const char* nft;
};
constexpr Family four{AF_INET, "10.9.0.2", "ip"};
constexpr Family six{AF_INET6, "fd09::2", "ip6"};

// All drops have the reason of the first, and are as many.
void expect_all(const std::vector<Drop>& drops, std::uint64_t count, const char* interface, sonde_direction direction) {
  EXPECT_EQ(drops.size(), count) << lines_of(drops);
  for (const auto& drop : drops) {
    EXPECT_EQ(drop.interface, interface);
    EXPECT_EQ(drop.packet.direction, direction);
    EXPECT_FALSE(drop.function.empty());
  }
}

void expect_owner(const std::vector<Drop>& drops, OwnerMethod method, OwnerConfidence confidence, std::uint32_t pid) {
  for (const auto& drop : drops) {
    EXPECT_EQ(drop.owner.owner.method, method) << lines_of({drop});
    EXPECT_EQ(drop.owner.owner.confidence, confidence) << lines_of({drop});
    EXPECT_EQ(drop.owner.owner.pid, pid) << lines_of({drop});
  }
}

/// From Linux 6.11 on the kernel tells which socket refused a packet.
bool tells_receiver() { return kernel::tracepoint_arguments("kfree_skb") >= 4; }

bool has_reason(const std::string& name) {
  return std::ranges::any_of(kernel::enum_names("skb_drop_reason", "SKB_DROP_REASON_"),
                             [&](const auto& known) { return known.second == name; });
}

// This process has received it. Before Linux 6.11 it is found by its tuple or not at all, but it is nobody else.
void expect_receiver(const std::vector<Drop>& drops) {
  if (tells_receiver()) {
    expect_owner(drops, owner_hook_method(), OwnerConfidence::high, own_pid);
    return;
  }
  for (const auto& drop : drops)
    if (drop.owner.owner.known()) expect_owner({drop}, OwnerMethod::tuple, OwnerConfidence::low, own_pid);
}

void expect_nobody(const std::vector<Drop>& drops) {
  for (const auto& drop : drops) {
    EXPECT_FALSE(drop.owner.owner.known()) << lines_of({drop});
    EXPECT_EQ(drop.owner.owner.reason, SONDE_REASON_NO_SOCKET);
  }
}

/// Without what the namespace says by itself, such as multicast listener reports of IPv6.
std::string tcp_of(const std::vector<Drop>& drops) {
  std::vector<Drop> found;
  std::ranges::copy_if(drops, std::back_inserter(found),
                       [](const Drop& drop) { return drop.packet.protocol == IPPROTO_TCP; });
  return lines_of(found);
}

void expect_balanced(const SeenDrops& seen) {
  EXPECT_TRUE(seen.loss.balanced());
  EXPECT_EQ(seen.loss.lost(), 0U);
}

/// How much a counter grows while a test runs.
class Growth {
 public:
  Growth(const NetworkNamespace& where, std::string name)
      : where_(where), name_(std::move(name)), before_(protocol_counter(where_, name_)) {}
  [[nodiscard]] std::uint64_t get() const { return protocol_counter(where_, name_) - before_; }

 private:
  const NetworkNamespace& where_;
  const std::string name_;
  const std::uint64_t before_;
};

Fd drop_all_program() {
  const bpf_insn instructions[] = {{BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 2 /* TC_ACT_SHOT */},
                                   {BPF_JMP | BPF_EXIT, 0, 0, 0, 0}};
  return Fd(::bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "drop_all", "GPL", instructions, 2, nullptr));
}

/// A program at a tc hook of an interface.
class TcProgram {
 public:
  TcProgram(const Fd& program, const NetworkNamespace& where, const char* interface, kernel::TcDirection direction)
      : where_(where) {
    where_.call([&] {
      const auto ifindex = ::if_nametoindex(interface);
      link_ = kernel::attach_tcx(program.get(), ifindex, direction);
      if (!link_) link_ = kernel::attach_clsact(program.get(), ifindex, direction);
    });
    EXPECT_TRUE(link_) << link_.error().text();
  }
  TcProgram(const TcProgram&) = delete;
  TcProgram& operator=(const TcProgram&) = delete;
  ~TcProgram() {
    where_.call([this] { link_ = fail(ErrorKind::failed, ""); });
  }

 private:
  const NetworkNamespace& where_;
  Result<kernel::Link> link_ = fail(ErrorKind::failed, "");
};

class BothFamilies : public testing::TestWithParam<Family> {
 protected:
  [[nodiscard]] static bool is_six() { return GetParam().number == AF_INET6; }

  /// Drops UDP to the port in a hook, and counts.
  static void drop_by_nftables(const NetworkNamespace& where, const std::string& hook) {
    where.run("nft 'add table inet t; add chain inet t c { type filter hook " + hook +
              " priority 0; }; add rule inet t c udp dport 5140 counter drop'");
  }
  static std::uint64_t nftables_count(const NetworkNamespace& where) {
    return std::stoull(where.run("nft list table inet t | sed -n 's/.*counter packets \\([0-9]*\\).*/\\1/p'"));
  }

  static void hold_up_answers(const NetworkNamespace& where) {
    where.run(
        "nft 'add table inet t; add chain inet t c { type filter hook input priority 0; }; "
        "add rule inet t c tcp sport 5140 counter drop'");
  }

  const Pair pair{Ipv6::on};
};
INSTANTIATE_TEST_SUITE_P(Drops, BothFamilies, testing::Values(four, six),
                         [](const auto& test) { return std::string(test.param.nft); });

TEST_P(BothFamilies, UdpToAClosedPortHasNoSocket) {
  const Growth closed(pair.right, is_six() ? "Udp6 NoPorts" : "Udp NoPorts");
  const auto seen = watch_drops([&] {
    const auto socket = open_socket(pair.left, GetParam().number, SOCK_DGRAM);
    for (int i = 0; i < 7; ++i) send_to(socket, GetParam().right, port);
  });
  const auto drops = seen.in(pair.right, "NO_SOCKET");
  EXPECT_EQ(closed.get(), 7U);
  expect_all(drops, closed.get(), "veth1", SONDE_DIRECTION_IN);
  expect_nobody(drops);
  for (const auto& drop : drops) {
    EXPECT_EQ(drop.packet.protocol, IPPROTO_UDP);
    EXPECT_EQ(drop.packet.destination_port, port);
    EXPECT_EQ(drop.packet.payload_size, 4U);
    EXPECT_EQ(drop.packet.packet_size, is_six() ? 66U : 46U);
  }
  expect_balanced(seen);
}

TEST_P(BothFamilies, TcpToAClosedPortHasNoSocket) {
  const auto seen = watch_drops([&] {
    for (int i = 0; i < 3; ++i) {
      const auto socket = open_socket(pair.left, GetParam().number, SOCK_STREAM);
      EXPECT_EQ(connect_to(socket, GetParam().right, port), ECONNREFUSED);
    }
  });
  const auto drops = seen.in(pair.right, "NO_SOCKET");
  expect_all(drops, 3, "veth1", SONDE_DIRECTION_IN);
  expect_nobody(drops);
  EXPECT_THAT(tcp_of(seen.in(pair.left)), testing::IsEmpty()) << "the RST has done its work";
  expect_balanced(seen);
}

TEST_P(BothFamilies, NetfilterOutputNamesTheSender) {
  drop_by_nftables(pair.left, "output");
  const auto seen = watch_drops([&] {
    const auto socket = open_socket(pair.left, GetParam().number, SOCK_DGRAM);
    for (int i = 0; i < 5; ++i) EXPECT_EQ(send_to(socket, GetParam().right, port), EPERM);
  });
  const auto drops = seen.in(pair.left, "NETFILTER_DROP");
  EXPECT_EQ(nftables_count(pair.left), 5U);
  EXPECT_EQ(drops.size(), 5U) << lines_of(seen.in(pair.left));
  expect_owner(drops, owner_hook_method(), OwnerConfidence::high, own_pid);
  for (const auto& drop : drops) {
    EXPECT_EQ(drop.packet.direction, SONDE_DIRECTION_OUT);
    EXPECT_EQ(drop.packet.destination_port, port);
  }
  expect_balanced(seen);
}

TEST_P(BothFamilies, NetfilterInputNamesTheReceiverByItsTuple) {
  drop_by_nftables(pair.right, "input");
  const SocketProcess receiver(pair.right, GetParam().number, SOCK_DGRAM, port);
  const auto seen = watch_drops([&] {
    const auto socket = open_socket(pair.left, GetParam().number, SOCK_DGRAM);
    for (int i = 0; i < 5; ++i) send_to(socket, GetParam().right, port);
    std::this_thread::sleep_for(std::chrono::milliseconds{300});  // the receiver is looked up while it runs
  });
  const auto drops = seen.in(pair.right, "NETFILTER_DROP");
  EXPECT_EQ(nftables_count(pair.right), 5U);
  expect_all(drops, 5, "veth1", SONDE_DIRECTION_IN);
  expect_owner(drops, OwnerMethod::tuple, OwnerConfidence::low, receiver.pid());
  expect_balanced(seen);
}

TEST_P(BothFamilies, NetfilterInputToAClosedPortNamesNobody) {
  drop_by_nftables(pair.right, "input");
  const SocketProcess other(pair.right, GetParam().number, SOCK_DGRAM, port + 1);
  const auto seen = watch_drops([&] {
    const auto socket = open_socket(pair.left, GetParam().number, SOCK_DGRAM);
    for (int i = 0; i < 5; ++i) send_to(socket, GetParam().right, port);
  });
  const auto drops = seen.in(pair.right, "NETFILTER_DROP");
  EXPECT_EQ(drops.size(), 5U);
  expect_nobody(drops);
}

TEST_P(BothFamilies, FullReceiveBufferNamesTheReceiver) {
  const Growth full(pair.right, is_six() ? "Udp6 RcvbufErrors" : "Udp RcvbufErrors");
  const auto seen = watch_drops([&] {
    const auto receiver = open_socket(pair.right, GetParam().number, SOCK_DGRAM, port);
    const int small = 1;
    ::setsockopt(receiver.get(), SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    const auto socket = open_socket(pair.left, GetParam().number, SOCK_DGRAM);
    for (int i = 0; i < 50; ++i) send_to(socket, GetParam().right, port, std::string(1000, 'x'));
  });
  const auto drops = seen.in(pair.right, "SOCKET_RCVBUFF");
  EXPECT_GT(full.get(), 40U);
  expect_all(drops, full.get(), "veth1", SONDE_DIRECTION_IN);
  expect_receiver(drops);
  expect_balanced(seen);
}

// Two connections want the last place in the queue: the answers to their SYNs are held up until both have been asked
// for. A SYN that meets a full queue is not told as a drop by the kernel: it is in ListenOverflows only.
TEST_P(BothFamilies, FullListenQueueNamesTheListener) {
  pair.right.run("echo 0 > /proc/sys/net/ipv4/tcp_syncookies");
  std::uint64_t overflowed = 0;
  const auto seen = watch_drops([&] {
    const auto listener = open_socket(pair.right, GetParam().number, SOCK_STREAM, port);
    ::listen(listener.get(), 2);
    const Growth overflows(pair.right, "TcpExt ListenOverflows");
    std::vector<Fd> clients;
    for (int i = 0; i < 4; ++i) {
      if (i == 2) hold_up_answers(pair.left);
      clients.push_back(open_socket(pair.left, GetParam().number, SOCK_STREAM | SOCK_NONBLOCK));
      connect_to(clients.back(), GetParam().right, port);
      std::this_thread::sleep_for(std::chrono::milliseconds{20});
    }
    EXPECT_GE(nftables_count(pair.left), 2U);
    pair.left.run("nft flush ruleset");
    for (int i = 0; i < 100 && overflowed == 0; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds{50});
      overflowed = overflows.get();
    }
  });
  const auto drops = seen.in(pair.right, has_reason("TCP_LISTEN_OVERFLOW") ? "TCP_LISTEN_OVERFLOW" : "NOT_SPECIFIED");
  EXPECT_GE(overflowed, 1U);
  EXPECT_GE(drops.size(), 1U) << lines_of(seen.in(pair.right));
  for (const auto& drop : drops)
    if (tells_receiver() || drop.owner.owner.known()) {
      EXPECT_EQ(drop.owner.owner.pid, own_pid) << lines_of({drop});
    }
  EXPECT_GE(seen.in(pair.left, "NETFILTER_DROP").size(), 2U);
  for (const auto& drop : seen.in(pair.left, "NETFILTER_DROP"))
    if (drop.owner.owner.known()) {
      EXPECT_EQ(drop.owner.owner.pid, own_pid) << lines_of({drop});
    }
  expect_balanced(seen);
}

TEST_P(BothFamilies, TcFiltersBothWays) {
  const Fd program = drop_all_program();
  const auto seen = watch_drops([&] {
    const auto socket = open_socket(pair.left, GetParam().number, SOCK_DGRAM);
    {
      const TcProgram egress(program, pair.left, "veth0", kernel::TcDirection::egress);
      for (int i = 0; i < 5; ++i) send_to(socket, GetParam().right, port);
    }
    const TcProgram ingress(program, pair.right, "veth1", kernel::TcDirection::ingress);
    for (int i = 0; i < 6; ++i) send_to(socket, GetParam().right, port);
  });
  expect_all(seen.in(pair.left, "TC_EGRESS"), 5, "veth0", SONDE_DIRECTION_OUT);
  expect_owner(seen.in(pair.left, "TC_EGRESS"), owner_hook_method(), OwnerConfidence::high, own_pid);
  expect_all(seen.in(pair.right, "TC_INGRESS"), 6, "veth1", SONDE_DIRECTION_IN);
  expect_owner(seen.in(pair.right, "TC_INGRESS"), owner_hook_method(), OwnerConfidence::high, own_pid);
  expect_balanced(seen);
}

TEST_P(BothFamilies, FullQueueNamesTheSender) {
  pair.left.run("tc qdisc add dev veth0 root tbf rate 8kbit burst 1600 limit 1600");
  const auto seen = watch_drops([&] {
    const auto socket = open_socket(pair.left, GetParam().number, SOCK_DGRAM);
    for (int i = 0; i < 50; ++i) send_to(socket, GetParam().right, port, std::string(500, 'x'));
  });
  const auto dropped =
      std::stoull(pair.left.run("tc -s qdisc show dev veth0 | sed -n 's/.*dropped \\([0-9]*\\).*/\\1/p' | head -n 1"));
  std::vector<Drop> drops;
  for (const auto& drop : seen.in(pair.left))
    if (drop.packet.destination_port == port) drops.push_back(drop);
  EXPECT_GT(dropped, 30U);
  expect_all(drops, dropped, "veth0", SONDE_DIRECTION_OUT);
  for (const auto& drop : drops) EXPECT_THAT(drop.reason, testing::AnyOf("QDISC_DROP", "QDISC_OVERLIMIT"));
  expect_owner(drops, owner_hook_method(), OwnerConfidence::high, own_pid);
  expect_balanced(seen);
}

Bytes with_bad_checksum(Bytes frame, std::size_t at) {
  frame[at] ^= 0x55;
  return frame;
}

void address_to_right(Bytes& frame) {
  const std::uint8_t to[6] = {2, 0, 0, 0, 9, 2};
  std::copy_n(to, 6, frame.begin());
}

// From Pair's left to its right.
Bytes frame_of(const Family& family, std::uint8_t protocol, const Bytes& transport) {
  auto frame =
      family.number == AF_INET
          ? ethernet({}, ipv4({.protocol = protocol, .source = {10, 9, 0, 1}, .destination = {10, 9, 0, 2}}, transport))
          : ethernet({.type = ether_ipv6}, ipv6({.next = protocol,
                                                 .source = {0xfd, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1},
                                                 .destination = {0xfd, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2}},
                                                transport));
  address_to_right(frame);
  return frame;
}

Bytes udp_frame(const Family& family, bool damaged) {
  auto frame = frame_of(family, 17, udp({.source_port = 4000, .destination_port = port}, counting(100)));
  return damaged ? with_bad_checksum(frame, frame.size() - 1) : frame;
}

// A SYN with the checksum damaged.
Bytes tcp_frame(const Family& family) {
  const auto frame = frame_of(family, 6, tcp({.source_port = 4000, .destination_port = port, .flags = 2}));
  return with_bad_checksum(frame, frame.size() - 4);
}

// A socket filter makes the kernel look at the checksum before the datagram is queued.
void attach_accept_filter(const Fd& socket) {
  sock_filter accept{BPF_RET | BPF_K, 0, 0, 0xffff};
  const sock_fprog program{1, &accept};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

TEST_P(BothFamilies, BadUdpChecksumNamesTheReceiver) {
  const Growth bad(pair.right, is_six() ? "Udp6 InCsumErrors" : "Udp InCsumErrors");
  const auto seen = watch_drops([&] {
    const auto receiver = open_socket(pair.right, GetParam().number, SOCK_DGRAM, port);
    attach_accept_filter(receiver);
    send_frame(pair.left, "veth0", udp_frame(GetParam(), true), 4);
    send_frame(pair.left, "veth0", udp_frame(GetParam(), false), 2);
  });
  const auto drops = seen.in(pair.right, "UDP_CSUM");
  EXPECT_EQ(bad.get(), 4U);
  expect_all(drops, 4, "veth1", SONDE_DIRECTION_IN);
  expect_receiver(drops);
  expect_balanced(seen);
}

// Without one it is found when the datagram is read: then the kernel does not tell whose it was.
TEST_P(BothFamilies, BadUdpChecksumFoundByTheReaderNamesNobody) {
  const auto seen = watch_drops([&] {
    const auto receiver = open_socket(pair.right, GetParam().number, SOCK_DGRAM, port);
    send_frame(pair.left, "veth0", udp_frame(GetParam(), true), 4);
    char byte[256];
    EXPECT_LT(::recv(receiver.get(), byte, sizeof(byte), MSG_DONTWAIT), 0);
  });
  std::vector<Drop> drops;
  for (const auto& drop : seen.drops)
    if (drop.packet.destination_port == port && drop.packet.source_port == 4000 && drop.network_namespace == 0)
      drops.push_back(drop);
  EXPECT_EQ(drops.size(), 4U) << lines_of(seen.drops);
  expect_nobody(drops);
}

TEST_P(BothFamilies, BadTcpChecksum) {
  const Growth bad(pair.right, "Tcp InCsumErrors");
  const SocketProcess listener(pair.right, GetParam().number, SOCK_STREAM, port);
  const auto seen = watch_drops([&] { send_frame(pair.left, "veth0", tcp_frame(GetParam()), 3); });
  const auto drops = seen.in(pair.right, "TCP_CSUM");
  EXPECT_EQ(bad.get(), 3U);
  expect_all(drops, 3, "veth1", SONDE_DIRECTION_IN);
  expect_nobody(drops);  // a damaged packet's port is no proof
  expect_balanced(seen);
}

TEST(ReversePath, NamesTheReceiverByItsTuple) {
  const Pair pair;
  pair.right.run("echo 1 > /proc/sys/net/ipv4/conf/all/rp_filter; echo 1 > /proc/sys/net/ipv4/conf/veth1/rp_filter");
  const SocketProcess receiver(pair.right, AF_INET, SOCK_DGRAM, port);
  const Growth filtered(pair.right, "TcpExt IPReversePathFilter");
  auto frame = ethernet({}, ipv4({.protocol = 17, .source = {192, 0, 2, 9}, .destination = {10, 9, 0, 2}},
                                 udp({.source_port = 4000, .destination_port = port})));
  address_to_right(frame);
  const auto seen = watch_drops([&] {
    send_frame(pair.left, "veth0", frame, 6);
    std::this_thread::sleep_for(std::chrono::milliseconds{300});
  });
  const auto drops = seen.in(pair.right, "IP_RPFILTER");
  EXPECT_EQ(filtered.get(), 6U);
  expect_all(drops, 6, "veth1", SONDE_DIRECTION_IN);
  expect_owner(drops, OwnerMethod::tuple, OwnerConfidence::low, receiver.pid());
  expect_balanced(seen);
}

/// left 10.9.0.1 - router 10.9.0.2 and 10.8.0.2 - right 10.8.0.1, with IPv6 fd09:: and fd08:: alike.
struct Routed {
  const Pair pair{Ipv6::on};  // pair.right is the router
  const NetworkNamespace far{Ipv6::on};

  Routed() {
    add_veth(pair.right, "veth2", far, "veth3");
    pair.right.run(
        "ip address add 10.8.0.2/24 dev veth2; ip -6 address add fd08::2/64 dev veth2 nodad; "
        "echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding");
    far.run(
        "ip address add 10.8.0.1/24 dev veth3; ip -6 address add fd08::1/64 dev veth3 nodad; "
        "ip route add default via 10.8.0.2; ip -6 route add default via fd08::2");
    pair.left.run("ip route add default via 10.9.0.2; ip -6 route add default via fd09::2");
  }
};

class Forwarded : public testing::TestWithParam<Family> {
 protected:
  [[nodiscard]] static bool is_six() { return GetParam().number == AF_INET6; }
  [[nodiscard]] static const char* far_address() { return is_six() ? "fd08::1" : "10.8.0.1"; }
  const Routed routed;
};
INSTANTIATE_TEST_SUITE_P(Drops, Forwarded, testing::Values(four, six),
                         [](const auto& test) { return std::string(test.param.nft); });

// A process of the router that is bound to the same port has nothing to do with it.
TEST_P(Forwarded, TimeToLiveNamesNobody) {
  const auto& router = routed.pair.right;
  const SocketProcess bystander(router, GetParam().number, SOCK_DGRAM, port);
  const Growth errors(router, is_six() ? "Ip6 InHdrErrors" : "Ip InHdrErrors");
  const auto seen = watch_drops([&] {
    const auto socket = open_socket(routed.pair.left, GetParam().number, SOCK_DGRAM);
    const int one = 1;
    ::setsockopt(socket.get(), IPPROTO_IP, IP_TTL, &one, sizeof(one));
    ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_UNICAST_HOPS, &one, sizeof(one));
    for (int i = 0; i < 4; ++i) send_to(socket, far_address(), port);
    std::this_thread::sleep_for(std::chrono::milliseconds{300});
  });
  const auto drops = seen.in(router, "IP_INHDR");
  EXPECT_EQ(errors.get(), 4U);
  EXPECT_EQ(drops.size(), 4U) << lines_of(seen.in(router));
  expect_nobody(drops);
  for (const auto& drop : drops) EXPECT_EQ(drop.packet.hop_limit, 1);
  expect_balanced(seen);
}

TEST_P(Forwarded, TooBigNamesNobody) {
  const auto& router = routed.pair.right;
  router.run("ip link set veth2 mtu 1300");
  const SocketProcess bystander(router, GetParam().number, SOCK_DGRAM, port);
  const Growth failures(router, is_six() ? "Ip6 InTooBigErrors" : "Ip FragFails");
  const auto seen = watch_drops([&] {
    const auto socket = open_socket(routed.pair.left, GetParam().number, SOCK_DGRAM);
    const int probe = IP_PMTUDISC_PROBE;  // does not learn from the router's answer
    ::setsockopt(socket.get(), IPPROTO_IP, IP_MTU_DISCOVER, &probe, sizeof(probe));
    ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_MTU_DISCOVER, &probe, sizeof(probe));
    for (int i = 0; i < 4; ++i) send_to(socket, far_address(), port, std::string(1400, 'x'));
    std::this_thread::sleep_for(std::chrono::milliseconds{300});
  });
  const auto drops = seen.in(router, "PKT_TOO_BIG");
  EXPECT_EQ(failures.get(), 4U);
  EXPECT_EQ(drops.size(), 4U) << lines_of(seen.in(router));
  expect_nobody(drops);
  expect_balanced(seen);
}

TEST_P(Forwarded, NetfilterForwardNamesNobody) {
  const auto& router = routed.pair.right;
  router.run("nft 'add table inet t; add chain inet t c { type filter hook forward priority 0; policy drop; }'");
  const SocketProcess bystander(router, GetParam().number, SOCK_DGRAM, port);
  const auto seen = watch_drops([&] {
    const auto socket = open_socket(routed.pair.left, GetParam().number, SOCK_DGRAM, port);
    for (int i = 0; i < 4; ++i) send_to(socket, far_address(), port);
    std::this_thread::sleep_for(std::chrono::milliseconds{300});
  });
  const auto drops = seen.in(router, "NETFILTER_DROP");
  EXPECT_EQ(drops.size(), 4U) << lines_of(seen.in(router));
  expect_nobody(drops);
}

}  // namespace
}  // namespace sonde::test
