// SPDX-License-Identifier: Apache-2.0
// Every way in which a connection on the wire ends: what the other side is told, what the log says, what is left.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <thread>

#include "on_the_wire.hpp"

namespace sonde::test {
namespace {

class WireEnds : public testing::Test {
 protected:
  WiredHosts hosts_;
  OnTheWire wire_{hosts_};
};

TEST_F(WireEnds, ClientFirst) {
  auto conversation = wire_.joined();
  EXPECT_TRUE(conversation.client.send(5000));
  conversation.client.shut();
  EXPECT_TRUE(conversation.server.receive_to_end(conversation.client.sent));
  EXPECT_TRUE(conversation.server.send(7000));
  conversation.server.fd.reset();
  EXPECT_TRUE(conversation.client.receive_to_end(conversation.server.sent));
  conversation.client.fd.reset();
  wire_.expect_end(conversation, "client-closed");
  EXPECT_FALSE(waiting_sockets(hosts_.client).empty());  // it closed first, and its end was acknowledged
  EXPECT_TRUE(open_sockets(hosts_.client).empty()) << open_sockets(hosts_.client);
  EXPECT_TRUE(open_sockets(hosts_.server).empty()) << open_sockets(hosts_.server);
  EXPECT_TRUE(waiting_sockets(hosts_.server).empty()) << waiting_sockets(hosts_.server);
}

TEST_F(WireEnds, ServerFirst) {
  auto conversation = wire_.joined();
  EXPECT_TRUE(conversation.server.send(5000));
  conversation.server.shut();
  EXPECT_TRUE(conversation.client.receive_to_end(conversation.server.sent));
  EXPECT_TRUE(conversation.client.send(7000));
  conversation.client.fd.reset();
  EXPECT_TRUE(conversation.server.receive_to_end(conversation.client.sent));
  conversation.server.fd.reset();
  wire_.expect_end(conversation, "upstream-closed");
  EXPECT_FALSE(waiting_sockets(hosts_.server).empty());
  EXPECT_TRUE(open_sockets(hosts_.client).empty()) << open_sockets(hosts_.client);
  EXPECT_TRUE(open_sockets(hosts_.server).empty()) << open_sockets(hosts_.server);
}

TEST_F(WireEnds, BothAtOnce) {
  constexpr int times = 20;
  for (int i = 0; i < times; ++i) {
    auto conversation = wire_.joined();
    std::thread other([&] { conversation.server.shut(); });
    conversation.client.shut();
    other.join();
    EXPECT_TRUE(conversation.server.receive_to_end(conversation.client.sent));
    EXPECT_TRUE(conversation.client.receive_to_end(conversation.server.sent));
  }
  for (const auto& line : wire_.proxy().log(times)) {
    EXPECT_TRUE(line.at("end") == "client-closed" || line.at("end") == "upstream-closed") << line;
    EXPECT_EQ(line.at("bytes_sent"), 2000) << line;
  }
  wire_.expect_nothing_left();
  EXPECT_TRUE(eventually([&] { return open_sockets(hosts_.client).empty() && open_sockets(hosts_.server).empty(); }))
      << open_sockets(hosts_.client) << open_sockets(hosts_.server);
}

TEST_F(WireEnds, MuchAfterTheOtherDirectionHasEnded) {
  for (const bool client_first : {true, false}) {
    auto conversation = wire_.joined();
    auto& first = client_first ? conversation.client : conversation.server;
    auto& second = client_first ? conversation.server : conversation.client;
    first.shut();
    EXPECT_TRUE(second.receive_to_end(first.sent));
    std::this_thread::sleep_for(std::chrono::seconds{2});
    constexpr std::uint64_t much = 20 << 20;
    std::thread sender([&] {
      EXPECT_TRUE(second.send(much));
      second.fd.reset();
    });
    EXPECT_TRUE(first.receive_to_end(1000 + 1000 + much)) << first.received;
    sender.join();
    first.fd.reset();
    wire_.expect_end(conversation, client_first ? "client-closed" : "upstream-closed");
  }
}

// A packet is a packet: keepalives keep a connection that has ended in one direction, however long the time-out.
TEST(WireHalfClosed, StaysWhileKeepalivesCome) {
  const WiredHosts hosts;
  OnTheWire wire(hosts, {.more = {{"timeouts", {{"half_closed", "3s"}}}}});
  auto conversation = wire.joined();
  const auto keep_alive = [&](int on) {
    const int second = 1, fd = conversation.server.fd.get();
    ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &second, sizeof(second));
    ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &second, sizeof(second));
    ::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
  };
  keep_alive(1);
  conversation.client.shut();
  EXPECT_TRUE(conversation.server.receive_to_end(conversation.client.sent));
  std::this_thread::sleep_for(std::chrono::seconds{10});
  EXPECT_TRUE(pass(conversation.server, conversation.client, 100'000));
  keep_alive(0);
  EXPECT_EQ(conversation.server.ending(), 0);  // it has come already
  EXPECT_EQ(conversation.client.ending(), ECONNRESET);
  wire.expect_end(conversation, "half-closed");
}

TEST_F(WireEnds, ResetByTheClient) {
  auto conversation = wire_.joined();
  conversation.client.abort();
  EXPECT_EQ(conversation.server.ending(), ECONNRESET);
  wire_.expect_end(conversation, "client-reset");
}

TEST_F(WireEnds, ResetByTheServer) {
  auto conversation = wire_.joined();
  conversation.server.abort();
  EXPECT_EQ(conversation.client.ending(), ECONNRESET);
  wire_.expect_end(conversation, "upstream-reset");
}

// Closing a socket that holds bytes that nobody has read is a reset (RFC 2525 section 2.17).
TEST_F(WireEnds, ClosingWithUnreadDataIsAReset) {
  auto conversation = wire_.joined();
  EXPECT_TRUE(conversation.server.send(100'000));
  pollfd has_come{conversation.client.fd.get(), POLLIN, 0};
  EXPECT_EQ(::poll(&has_come, 1, 10'000), 1);
  conversation.client.fd.reset();
  EXPECT_EQ(conversation.server.ending(), ECONNRESET);
  wire_.expect_end(conversation, "client-reset");
}

TEST_F(WireEnds, ResetAfterTheOtherSideHasEnded) {
  auto conversation = wire_.joined();
  conversation.server.shut();
  EXPECT_EQ(conversation.client.ending(), 0);
  conversation.client.abort();
  std::this_thread::sleep_for(std::chrono::milliseconds{100});
  EXPECT_EQ(conversation.server.ending(), ECONNRESET);
  wire_.expect_end(conversation, "client-reset");
}

// The element of the old connection may still be there when the client begins another from the same port.
TEST_F(WireEnds, ThePortIsUsedAgainAtOnce) {
  const Meeting meeting{.from = endpoint_at("10.8.1.1", 45'000)};
  for (int i = 0; i < 20; ++i) {
    SCOPED_TRACE(i);
    auto conversation = wire_.joined(meeting);
    switch (i % 3) {
      case 0: conversation.client.abort(); break;
      case 1:
        conversation.server.abort();
        EXPECT_EQ(conversation.client.ending(), ECONNRESET);
        break;
      default:  // the server keeps TIME-WAIT
        conversation.server.fd.reset();
        EXPECT_EQ(conversation.client.ending(), 0);
        conversation.client.fd.reset();
        break;
    }
  }
  EXPECT_EQ(wire_.proxy().log(20).size(), 20U);
  wire_.expect_nothing_left();
}

}  // namespace
}  // namespace sonde::test
