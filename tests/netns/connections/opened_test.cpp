// SPDX-License-Identifier: Apache-2.0
// Both ends of one connection: who, from where to where, how much, how long.
#include <gtest/gtest.h>

#include "harness/traffic.hpp"
#include "peers.hpp"
#include "watch.hpp"

namespace sonde::test {
namespace {

constexpr std::uint16_t port = 8443;  // not the same with its bytes swapped
constexpr std::size_t request_size = 1'234;
constexpr std::size_t reply_size = 54'321;

struct Exchange {
  const char* name;
  std::string connect_to;  ///< as the client writes it
  std::string listen_on;
  std::string client_address;  ///< as the events have it
  std::string server_address;
};

class Opened : public testing::TestWithParam<Exchange> {
 protected:
  Pair pair_{NetworkNamespace::Ipv6::on};
  Watch watch_{{&pair_.left, &pair_.right}};
};

void ask(Fd& socket) {
  send_bytes(socket, request_size);
  (void)read_bytes(socket, reply_size);
  std::this_thread::sleep_for(std::chrono::milliseconds{300});  // a duration that can be told from none
}

void answer(Fd& socket) {
  (void)read_bytes(socket, request_size);
  send_bytes(socket, reply_size);
  (void)read_to_end(socket);
}

TEST_P(Opened, BothEnds) {
  const auto& given = GetParam();
  Peer serving(pair_.right, server(given.listen_on, port, answer));
  serving.wait_until_ready();
  Peer asking(pair_.left, client(given.connect_to, port, ask));
  EXPECT_EQ(asking.wait(), 0);
  EXPECT_EQ(serving.wait(), 0);

  const auto out = watch_.find(ConnectionEvent::opened, pair_.left);
  const auto in = watch_.find(ConnectionEvent::opened, pair_.right);
  const auto left = watch_.find(ConnectionEvent::closed, pair_.left);
  const auto right = watch_.find(ConnectionEvent::closed, pair_.right);
  const auto all = watch_.finish();
  ASSERT_TRUE(out && in && left && right) << describe(all);
  EXPECT_EQ(all.size(), 4U) << describe(all);

  EXPECT_EQ(out->direction, ConnectionDirection::outbound);
  EXPECT_EQ(in->direction, ConnectionDirection::inbound);
  ASSERT_TRUE(out->connect_latency);
  EXPECT_GT(out->connect_latency->count(), 0);
  EXPECT_LT(*out->connect_latency, std::chrono::seconds{2});
  EXPECT_FALSE(in->connect_latency);

  EXPECT_EQ(out->socket.remote.address_text(), given.server_address);
  EXPECT_EQ(out->socket.remote.port, port);
  EXPECT_EQ(out->socket.local.address_text(), given.client_address);
  EXPECT_NE(out->socket.local.port, 0);
  for (const auto& event : {*in, *right}) {
    EXPECT_EQ(event.socket.local, out->socket.remote);
    EXPECT_EQ(event.socket.remote, out->socket.local);
  }
  EXPECT_EQ(left->socket.local, out->socket.local) << "the port is kept to the end";
  EXPECT_EQ(left->socket.remote, out->socket.remote);
  EXPECT_NE(left->socket.cookie, 0U);
  EXPECT_EQ(left->socket.cookie, out->socket.cookie);

  EXPECT_EQ(out->owner.owner.pid, asking.pid());
  EXPECT_EQ(left->owner.owner.pid, asking.pid());
  EXPECT_EQ(in->owner.owner.pid, serving.pid());
  EXPECT_EQ(right->owner.owner.pid, serving.pid());

  EXPECT_EQ(left->end, ConnectionEnd::local_fin);
  EXPECT_EQ(right->end, ConnectionEnd::remote_fin);
  EXPECT_EQ(left->bytes_sent, request_size);
  EXPECT_EQ(left->bytes_received, reply_size);
  EXPECT_EQ(right->bytes_sent, reply_size);
  EXPECT_EQ(right->bytes_received, request_size);
  EXPECT_GT(left->segments_sent, 2U);
  EXPECT_GT(left->smoothed_rtt_us, 0U);
  for (const auto& event : {*left, *right}) {
    ASSERT_TRUE(event.duration);
    EXPECT_GE(*event.duration, std::chrono::milliseconds{300});
    EXPECT_LT(*event.duration, std::chrono::seconds{5});
  }
  for (const auto& stage : watch_.loss())
    EXPECT_EQ(stage.taken, stage.given + stage.filtered + stage.lost) << stage.name;
}

const Exchange exchanges[] = {{"IPv4", "10.9.0.2", "10.9.0.2", "10.9.0.1", "10.9.0.2"},
                              {"IPv6", "fd09::2", "fd09::2", "fd09::1", "fd09::2"},
                              {"Mapped", "::ffff:10.9.0.2", "::", "10.9.0.1", "10.9.0.2"}};

INSTANTIATE_TEST_SUITE_P(Families, Opened, testing::ValuesIn(exchanges),
                         [](const auto& test) { return std::string(test.param.name); });

TEST(OpenedFilter, APortLeavesTheOthersOut) {
  const Pair pair;
  FilterOptions only;
  only.destination_ports = {"8443"};
  Watch watch({&pair.left, &pair.right}, only);
  for (const std::uint16_t to : {std::uint16_t{8444}, port}) {
    Peer serving(pair.right, server("10.9.0.2", to, [](Fd& socket) { (void)read_to_end(socket); }));
    serving.wait_until_ready();
    Peer asking(pair.left, client("10.9.0.2", to, [](Fd&) {}));
    EXPECT_EQ(asking.wait(), 0);
    EXPECT_EQ(serving.wait(), 0);
  }
  ASSERT_TRUE(watch.find(ConnectionEvent::closed, pair.right));
  const auto all = watch.finish();
  EXPECT_EQ(all.size(), 4U) << describe(all);
  for (const auto& event : all) EXPECT_TRUE(event.socket.local.port == port || event.socket.remote.port == port);
}

}  // namespace
}  // namespace sonde::test
