// SPDX-License-Identifier: Apache-2.0
// Many short connections: every one is told or counted as lost, by the kernel's own counters.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <sstream>

#include "harness/command.hpp"
#include "harness/traffic.hpp"
#include "peers.hpp"
#include "watch.hpp"

namespace sonde::test {
namespace {

constexpr std::uint16_t port = 7003;
constexpr int connections = 20'000;

// A counter of "Tcp:" in /proc/net/snmp, as "ActiveOpens".
std::uint64_t tcp_counter(const NetworkNamespace& where, const std::string& name) {
  const auto lines = lines_of(where.run("grep '^Tcp:' /proc/thread-self/net/snmp"));
  std::istringstream names(lines.at(0));
  std::istringstream values(lines.at(1));
  for (std::string column, value; names >> column && values >> value;)
    if (column == name) return std::stoull(value);
  throw std::runtime_error("no counter " + name);
}

int serve_many(int ready) {
  const auto listener = listen_on("10.9.0.2", port);
  if (!listener || ::write(ready, "r", 1) != 1) return 1;
  for (int i = 0; i < connections; ++i) {
    const auto socket = accept_from(listener);
    if (!socket) return 2;
    if (read_bytes(socket, 1) != 1) return 3;
  }
  return 0;
}

int connect_many(int) {
  for (int i = 0; i < connections; ++i) {
    const auto socket = connect_to("10.9.0.2", port);
    if (!socket) return 1;
    send_bytes(socket, 1);
    if (read_to_end(socket) != 0) return 2;
  }
  return 0;
}

std::uint64_t count_of(const std::vector<Connection>& events, ConnectionEvent event, ConnectionDirection direction) {
  return static_cast<std::uint64_t>(std::ranges::count_if(events, [&](const Connection& connection) {
    return connection.event == event && connection.direction == direction;
  }));
}

TEST(Counts, EqualTheKernels) {
  const Pair pair;
  pair.left.run("sysctl -qw net.ipv4.ip_local_port_range='1024 65000'");
  Watch watch({&pair.left, &pair.right});
  Peer serving(pair.right, serve_many);
  serving.wait_until_ready();
  Peer asking(pair.left, connect_many);
  int status = -1;
  for (int i = 0; i < 6 && status < 0; ++i) status = asking.wait();
  EXPECT_EQ(status, 0);
  EXPECT_EQ(serving.wait(), 0);
  (void)watch.wait_for_count(std::size_t{4} * connections, std::chrono::seconds{3});  // the last FIN's acknowledgment
  const auto events = watch.finish();
  std::uint64_t lost = 0;
  for (const auto& stage : watch.loss()) {
    lost += stage.lost;
    EXPECT_EQ(stage.taken, stage.given + stage.filtered + stage.lost) << stage.name;
  }
  const auto out = count_of(events, ConnectionEvent::opened, ConnectionDirection::outbound);
  const auto in = count_of(events, ConnectionEvent::opened, ConnectionDirection::inbound);
  const auto closed_out = count_of(events, ConnectionEvent::closed, ConnectionDirection::outbound);
  const auto closed_in = count_of(events, ConnectionEvent::closed, ConnectionDirection::inbound);
  EXPECT_EQ(tcp_counter(pair.left, "ActiveOpens"), connections);
  if (lost == 0) {
    EXPECT_EQ(out, tcp_counter(pair.left, "ActiveOpens"));
    EXPECT_EQ(in, tcp_counter(pair.right, "PassiveOpens"));
    EXPECT_EQ(closed_out, out);
    EXPECT_EQ(closed_in, in);
  }
  EXPECT_GE(out + in + closed_out + closed_in + lost, std::uint64_t{4} * connections);
  const auto wrong = std::ranges::count_if(events, [&](const Connection& connection) {
    const bool left = connection.direction == ConnectionDirection::outbound;
    return connection.owner.owner.pid != (left ? asking.pid() : serving.pid());
  });
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace sonde::test
