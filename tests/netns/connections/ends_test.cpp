// SPDX-License-Identifier: Apache-2.0
// How connections end, on both sides.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "harness/traffic.hpp"
#include "peers.hpp"
#include "watch.hpp"

namespace sonde::test {
namespace {

constexpr std::uint16_t port = 7001;

using Work = void (*)(Fd& socket);

struct Ending {
  const char* what;
  Work client;
  Work server;
  ConnectionEnd at_client;
  ConnectionEnd at_server;
};

void nothing(Fd&) {}
void wait_for_end(Fd& socket) { (void)read_to_end(socket); }
void send_little(Fd& socket) { send_bytes(socket, 100); }

void reset(Fd& socket) {
  send_bytes(socket, 10);
  reset_on_close(socket);
  socket.reset();
}

void reset_after_request(Fd& socket) {
  (void)read_bytes(socket, 100);
  reset(socket);
}

void leave_unread(Fd& socket) {
  char byte = 0;
  (void)::recv(socket.get(), &byte, 1, MSG_PEEK);
  socket.reset();
}

void reset_after_the_others_fin(Fd& socket) {
  (void)read_to_end(socket);
  reset_on_close(socket);
  socket.reset();
}

void half_close_and_wait(Fd& socket) {
  ::shutdown(socket.get(), SHUT_WR);
  (void)read_to_end(socket);
}

class Ends : public testing::TestWithParam<Ending> {};

TEST_P(Ends, BothSides) {
  const auto& given = GetParam();
  const Pair pair;
  Watch watch({&pair.left, &pair.right});
  Peer serving(pair.right, server("10.9.0.2", port, given.server));
  serving.wait_until_ready();
  Peer asking(pair.left, client("10.9.0.2", port, given.client));
  EXPECT_EQ(asking.wait(), 0);
  EXPECT_EQ(serving.wait(), 0);
  const auto left = watch.find(ConnectionEvent::closed, pair.left);
  const auto right = watch.find(ConnectionEvent::closed, pair.right);
  const auto all = watch.finish();
  ASSERT_TRUE(left && right) << describe(all);
  EXPECT_EQ(left->end, given.at_client) << describe(all);
  EXPECT_EQ(right->end, given.at_server) << describe(all);
  EXPECT_EQ(left->owner.owner.pid, asking.pid());
  EXPECT_EQ(right->owner.owner.pid, serving.pid());
}

void send_and_wait(Fd& socket) {
  send_little(socket);
  wait_for_end(socket);
}

constexpr Ending endings[] = {
    {"ClientFin", nothing, wait_for_end, ConnectionEnd::local_fin, ConnectionEnd::remote_fin},
    {"ServerFin", wait_for_end, send_little, ConnectionEnd::remote_fin, ConnectionEnd::local_fin},
    {"HalfClose", half_close_and_wait, wait_for_end, ConnectionEnd::local_fin, ConnectionEnd::remote_fin},
    {"ClientReset", reset, wait_for_end, ConnectionEnd::local_reset, ConnectionEnd::remote_reset},
    {"ServerReset", send_and_wait, reset_after_request, ConnectionEnd::remote_reset, ConnectionEnd::local_reset},
    {"ClientLeavesDataUnread", leave_unread, send_and_wait, ConnectionEnd::local_reset, ConnectionEnd::remote_reset},
    {"ServerResetsAfterFin", half_close_and_wait, reset_after_the_others_fin, ConnectionEnd::remote_reset,
     ConnectionEnd::local_reset},
};

INSTANTIATE_TEST_SUITE_P(All, Ends, testing::ValuesIn(endings),
                         [](const auto& test) { return std::string(test.param.what); });

// Packets that match are dropped where they arrive.
void drop_arriving(const NetworkNamespace& where, const std::string& match) {
  where.run(
      "nft 'add table inet test; add chain inet test input { type filter hook input priority 0; }; "
      "add rule inet test input " +
      match + " drop'");
}

class Scripted : public testing::Test {
 protected:
  std::optional<Connection> closed_at_client() { return watch_.find(ConnectionEvent::closed, pair_.left); }

  Pair pair_;
  Watch watch_{{&pair_.left, &pair_.right}};
};

// Data for a socket whose process has gone: the kernel answers it by RST. `dropped_at_server` or `dropped_at_client`
// keeps the client from seeing its FIN acknowledged before the data comes.
class DataAfterClose : public Scripted {
 protected:
  void run(const std::string& dropped_at_server, const std::string& dropped_at_client) {
    const Gate close;
    const Gate send;
    Peer serving(pair_.right, server("10.9.0.2", port, [&](Fd& socket) {
                   (void)read_bytes(socket, 1);
                   send.wait();
                   send_bytes(socket, 10);
                   (void)read_to_end(socket);
                 }));
    serving.wait_until_ready();
    Peer asking(pair_.left, [&](int ready) {
      auto socket = connect_to("10.9.0.2", port);
      send_bytes(socket, 1);
      wait_until_acknowledged(socket);
      if (::write(ready, "r", 1) != 1) return 1;
      close.wait();
      return 0;
    });
    asking.wait_until_ready();
    if (!dropped_at_server.empty()) drop_arriving(pair_.right, dropped_at_server);
    if (!dropped_at_client.empty()) drop_arriving(pair_.left, dropped_at_client);
    close.open();
    EXPECT_EQ(asking.wait(), 0);
    send.open();
    const auto closed = closed_at_client();
    ASSERT_TRUE(closed);
    EXPECT_EQ(closed->end, ConnectionEnd::local_reset);
    EXPECT_EQ(closed->owner.owner.pid, asking.pid());
  }
};

// tcp_reset() without a RST that was received.
TEST_F(DataAfterClose, WhileOurFinIsNotAcknowledged) { run("tcp flags & fin == fin", ""); }

// The FIN's acknowledgment comes with the data: every one without data is dropped on its way.
TEST_F(DataAfterClose, WithTheAcknowledgmentOfOurFin) { run("", "ip length 52 tcp flags == ack"); }

TEST_F(Scripted, ThePeerVanishes) {
  pair_.left.run("sysctl -qw net.ipv4.tcp_retries2=2");
  const Gate send;
  Peer serving(pair_.right, server("10.9.0.2", port, wait_for_end));
  serving.wait_until_ready();
  Peer asking(pair_.left, [&](int ready) {
    auto socket = connect_to("10.9.0.2", port);
    send_bytes(socket, 5);
    wait_until_acknowledged(socket);
    if (::write(ready, "r", 1) != 1) return 1;
    send.wait();
    send_bytes(socket, 5);
    (void)read_to_end(socket);
    return 0;
  });
  asking.wait_until_ready();
  drop_arriving(pair_.right, "meta l4proto tcp");
  send.open();
  const auto closed = closed_at_client();
  ASSERT_TRUE(closed);
  EXPECT_EQ(closed->end, ConnectionEnd::timeout);
  EXPECT_EQ(closed->error, ETIMEDOUT);
  EXPECT_GT(closed->retransmissions, 0U);
  EXPECT_EQ(closed->bytes_sent, 5U) << "what was acknowledged";
  EXPECT_EQ(closed->owner.owner.pid, asking.pid());
}

TEST_F(Scripted, KeepaliveWithoutAnswer) {
  Peer serving(pair_.right, server("10.9.0.2", port, wait_for_end));
  serving.wait_until_ready();
  Peer asking(pair_.left, [](int ready) {
    auto socket = connect_to("10.9.0.2", port);
    const int one = 1;
    ::setsockopt(socket.get(), SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
    for (const int option : {TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT})
      ::setsockopt(socket.get(), IPPROTO_TCP, option, &one, sizeof(one));
    if (::write(ready, "r", 1) != 1) return 1;
    (void)read_to_end(socket);
    return 0;
  });
  asking.wait_until_ready();
  drop_arriving(pair_.right, "meta l4proto tcp");
  const auto closed = closed_at_client();
  ASSERT_TRUE(closed);
  EXPECT_EQ(closed->end, ConnectionEnd::timeout);
  EXPECT_EQ(closed->error, ETIMEDOUT);
}

TEST_F(Scripted, KilledByTheAdministrator) {
  Peer serving(pair_.right, server("10.9.0.2", port, wait_for_end));
  serving.wait_until_ready();
  Peer asking(pair_.left, client("10.9.0.2", port, wait_for_end));
  asking.wait_until_ready();
  pair_.left.run("ss -K -t dst 10.9.0.2");
  const auto closed = closed_at_client();
  if (!closed) GTEST_SKIP() << "this kernel cannot destroy sockets (CONFIG_INET_DIAG_DESTROY)";
  EXPECT_EQ(closed->end, ConnectionEnd::local_reset);
  EXPECT_EQ(closed->error, ECONNABORTED);
}

// A listener that goes resets what it has not accepted.
TEST_F(Scripted, NeverAccepted) {
  Peer serving(pair_.right, [](int ready) {
    const auto listener = listen_on("10.9.0.2", port);
    if (::write(ready, "r", 1) != 1) return 1;
    std::this_thread::sleep_for(std::chrono::milliseconds{500});
    return 0;
  });
  serving.wait_until_ready();
  Peer asking(pair_.left, client("10.9.0.2", port, wait_for_end));
  const auto opened = watch_.find(ConnectionEvent::opened, pair_.right);
  const auto left = closed_at_client();
  const auto right = watch_.find(ConnectionEvent::closed, pair_.right);
  ASSERT_TRUE(opened && left && right);
  EXPECT_EQ(left->end, ConnectionEnd::remote_reset);
  EXPECT_EQ(right->end, ConnectionEnd::local_reset);
  EXPECT_EQ(opened->owner.owner.pid, serving.pid());
  EXPECT_EQ(opened->owner.owner.confidence, OwnerConfidence::low) << "the listener's record";
}

// Older than the sensor: the end is seen, the beginning is not made up.
TEST(OlderThanSonde, ClosesUnderIt) {
  const Pair pair;
  Peer serving(pair.right, server("10.9.0.2", port, [](Fd& socket) {
                 (void)read_bytes(socket, 100);
                 send_bytes(socket, 50);
                 (void)read_to_end(socket);
               }));
  serving.wait_until_ready();
  const Gate close;
  Peer asking(pair.left, [&](int ready) {
    auto socket = connect_to("10.9.0.2", port);
    send_bytes(socket, 100);
    (void)read_bytes(socket, 50);
    if (::write(ready, "r", 1) != 1) return 1;
    close.wait();
    return 0;
  });
  asking.wait_until_ready();
  Watch watch({&pair.left, &pair.right});
  close.open();
  const auto left = watch.find(ConnectionEvent::closed, pair.left);
  const auto right = watch.find(ConnectionEvent::closed, pair.right);
  ASSERT_TRUE(left && right) << describe(watch.events());
  EXPECT_EQ(watch.finish().size(), 2U);
  for (const auto& event : {*left, *right}) {
    EXPECT_FALSE(event.duration);
    EXPECT_FALSE(event.connect_latency);
  }
  EXPECT_EQ(left->end, ConnectionEnd::local_fin);
  EXPECT_EQ(right->end, ConnectionEnd::remote_fin);
  EXPECT_EQ(left->direction, ConnectionDirection::outbound) << "its SYN is among the acknowledged bytes";
  EXPECT_EQ(right->direction, ConnectionDirection::inbound);
  EXPECT_EQ(left->bytes_sent, 100U);
  EXPECT_EQ(left->bytes_received, 50U);
  EXPECT_EQ(right->bytes_sent, 50U);
  EXPECT_EQ(right->bytes_received, 100U);
  EXPECT_EQ(left->owner.owner.pid, asking.pid()) << "seeded";
  EXPECT_EQ(right->owner.owner.pid, serving.pid());
}

}  // namespace
}  // namespace sonde::test
