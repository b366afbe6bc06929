// SPDX-License-Identifier: Apache-2.0
// The snapshot against ss(8), in the namespaces of the test.
#include "sensors/connections/snapshot.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <regex>
#include <set>
#include <sstream>

#include "filter/filter.hpp"
#include "harness/command.hpp"
#include "harness/traffic.hpp"
#include "peers.hpp"
#include "watch.hpp"

namespace sonde::test {
namespace {

constexpr std::uint16_t port = 7004;

std::vector<Connection> snapshot_of(const std::vector<const NetworkNamespace*>& where,
                                    const FilterOptions& options = {}) {
  auto compiled = filter::compile(options);
  if (!compiled) throw std::runtime_error(compiled.error().text());
  auto all = connections::snapshot({*compiled, {}});
  if (!all) throw std::runtime_error(all.error().text());
  std::set<std::uint32_t> namespaces;
  for (const auto* one : where) namespaces.insert(inode_of(*one));
  std::erase_if(*all, [&](const Connection& open) { return !namespaces.contains(open.socket.network_namespace); });
  return *all;
}

std::string state_of(const Socket& socket) {
  if (socket.protocol == IPPROTO_UDP) return socket.state == TCP_ESTABLISHED ? "ESTAB" : "UNCONN";
  switch (socket.state) {
    case TCP_ESTABLISHED: return "ESTAB";
    case TCP_TIME_WAIT: return "TIME-WAIT";
    case TCP_LISTEN: return "LISTEN";
    case TCP_SYN_SENT: return "SYN-SENT";
    case TCP_SYN_RECV: return "SYN-RECV";
    case TCP_CLOSE_WAIT: return "CLOSE-WAIT";
    case TCP_FIN_WAIT2: return "FIN-WAIT-2";
    default: return "state " + std::to_string(socket.state);
  }
}

// "tcp ESTAB 10.9.0.1:40000 10.9.0.2:7004 pid 4711".
std::string line_of(const Connection& open) {
  const auto& socket = open.socket;
  const auto end = [](const Endpoint& endpoint) {
    return endpoint.address_text() + ":" + (endpoint.port == 0 ? "*" : std::to_string(endpoint.port));
  };
  return (socket.protocol == IPPROTO_UDP ? "udp " : "tcp ") + state_of(socket) + " " + end(socket.local) + " " +
         (socket.remote.port == 0 ? "*" : end(socket.remote)) + " pid " + std::to_string(open.owner.owner.pid);
}

// An address of ss in the words of line_of(): no brackets, no scope, "*" for any, IPv4 behind ::ffff:.
std::string address_of(std::string text) {
  text = std::regex_replace(text, std::regex(R"([\[\]]|%[^:\]]*)"), "");
  if (text.starts_with("::ffff:")) text = text.substr(7);
  return text;
}

std::multiset<std::string> lines_of_ss(const NetworkNamespace& where) {
  std::multiset<std::string> result;
  for (const auto& line : lines_of(where.run("ss -H -t -u -n -a -p"))) {
    std::istringstream words(line);
    std::string protocol, state, queue, local, remote, users;
    words >> protocol >> state >> queue >> queue >> local >> remote >> users;
    std::smatch pid;
    const bool named = std::regex_search(users, pid, std::regex("pid=([0-9]+)"));
    local = address_of(local);
    if (local.starts_with("*:")) local = "::" + local.substr(1);
    remote = address_of(remote);
    if (remote.ends_with(":*")) remote = "*";
    result.insert(fmt::format("{} {} {} {} pid {}", protocol, state, local, remote, named ? pid[1].str() : "0"));
  }
  return result;
}

std::multiset<std::string> lines_of_snapshot(const NetworkNamespace& where) {
  std::multiset<std::string> result;
  for (const auto& open : snapshot_of({&where})) result.insert(line_of(open));
  return result;
}

int hold_udp(int ready) {
  const Fd bound(::socket(AF_INET, SOCK_DGRAM, 0));
  const Fd connected(::socket(AF_INET6, SOCK_DGRAM, 0));
  sockaddr_in any{};
  any.sin_family = AF_INET;
  any.sin_port = htons(5353);
  if (!bound || ::bind(bound.get(), reinterpret_cast<const sockaddr*>(&any), sizeof(any)) != 0) return 1;
  if (connect_socket(connected, "fd09::2", 53) != 0) return 2;
  if (::write(ready, "r", 1) != 1) return 3;
  return ::pause();
}

int listen_twice(int ready) {
  const auto ipv4 = listen_on("10.9.0.2", port);
  const auto ipv6 = listen_on("::", port + 1);
  if (!ipv4 || !ipv6 || ::write(ready, "r", 1) != 1) return 1;
  const auto first = accept_from(ipv4);
  const auto second = accept_from(ipv6);
  const auto third = accept_from(ipv6);
  return ::pause();
}

int connect_thrice(int ready) {
  const auto first = connect_to("10.9.0.2", port);
  const auto second = connect_to("fd09::2", port + 1);
  const auto third = connect_to("::ffff:10.9.0.2", port + 1);
  if (!first || !second || !third) return 1;
  send_bytes(first, 1000);
  if (::write(ready, "r", 1) != 1) return 2;
  return ::pause();
}

TEST(Snapshot, IsWhatSsShows) {
  const Pair pair(NetworkNamespace::Ipv6::on);
  const Peer serving(pair.right, listen_twice);
  serving.wait_until_ready();
  const Peer asking(pair.left, connect_thrice);
  asking.wait_until_ready();
  const Peer datagrams(pair.left, hold_udp);
  datagrams.wait_until_ready();
  // A connection that is over but for TIME_WAIT.
  exchange_tcp(pair.left, pair.right, "10.9.0.2", 44'444, 7999, "question", "answer");
  std::this_thread::sleep_for(std::chrono::milliseconds{200});
  for (const auto* where : {&pair.left, &pair.right}) {
    const auto seen = lines_of_snapshot(*where);
    EXPECT_EQ(seen, lines_of_ss(*where));
    EXPECT_GE(seen.size(), 4U);
  }
}

TEST(Snapshot, CountersDirectionsAndReasons) {
  const Pair pair(NetworkNamespace::Ipv6::on);
  const Peer serving(pair.right, listen_twice);
  serving.wait_until_ready();
  const Peer asking(pair.left, connect_thrice);
  asking.wait_until_ready();
  exchange_tcp(pair.left, pair.right, "10.9.0.2", 44'444, 7999, "question", "answer");
  std::this_thread::sleep_for(std::chrono::milliseconds{200});
  const auto all = snapshot_of({&pair.left, &pair.right});
  int found = 0;
  for (const auto& open : all) {
    EXPECT_EQ(open.event, ConnectionEvent::open);
    if (open.socket.remote.port == port && open.socket.state == TCP_ESTABLISHED) {
      EXPECT_EQ(open.bytes_sent, 1000U);
      EXPECT_EQ(open.direction, ConnectionDirection::outbound);
      ++found;
    }
    if (open.socket.local.port == port && open.socket.state == TCP_ESTABLISHED) {
      EXPECT_EQ(open.bytes_received, 1000U);
      EXPECT_EQ(open.direction, ConnectionDirection::inbound);
      ++found;
    }
    if (open.socket.state == TCP_TIME_WAIT) {
      EXPECT_FALSE(open.owner.owner.known());
      EXPECT_EQ(open.owner.owner.reason, SONDE_REASON_TIME_WAIT);
      ++found;
    }
  }
  EXPECT_EQ(found, 3);
  FilterOptions only;
  only.ports = {"7005"};
  const auto chosen = snapshot_of({&pair.left, &pair.right}, only);
  EXPECT_EQ(chosen.size(), 5U) << "one listens, two connections with two ends each";
}

TEST(Snapshot, AThousandSockets) {
  const Pair pair;
  const Peer serving(pair.right, [](int ready) {
    const auto listener = listen_on("10.9.0.2", port, 2000);
    if (::write(ready, "r", 1) != 1) return 1;
    return ::pause();
  });
  serving.wait_until_ready();
  const Peer asking(pair.left, [](int ready) {
    std::vector<Fd> sockets;
    sockets.reserve(1000);
    for (int i = 0; i < 1000; ++i) sockets.push_back(connect_to("10.9.0.2", port));
    if (::write(ready, "r", 1) != 1) return 1;
    return ::pause();
  });
  asking.wait_until_ready();
  const auto all = snapshot_of({&pair.left});
  EXPECT_EQ(all.size(), 1000U);
  for (const auto& open : all) EXPECT_EQ(open.owner.owner.pid, asking.pid());
}

}  // namespace
}  // namespace sonde::test
