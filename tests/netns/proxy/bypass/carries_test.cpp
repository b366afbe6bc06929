// SPDX-License-Identifier: Apache-2.0
// What is sent arrives, whatever the two do, and the counts are right.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <thread>

#include "base/socket_address.hpp"
#include "peers.hpp"

namespace sonde::proxy::test {
namespace {

using sonde::test::NetworkNamespace;

constexpr std::uint64_t mib = 1 << 20;

// Both ways at once; the client half-closes, the backend closes behind its last bytes.
void exchange(Joined& joined, std::uint64_t size) {
  const auto to_backend = joined.to_backend + size;
  const auto to_client = joined.to_client + size;
  std::uint64_t at_client = 0;
  bool sent = false;
  bool answered = false;
  {
    const std::jthread forth([&] {
      sent = send_stream(joined.client.get(), 1, joined.to_backend, to_backend);
      ::shutdown(joined.client.get(), SHUT_WR);
    });
    const std::jthread back([&] { answered = send_stream(joined.backend.get(), 2, joined.to_client, to_client); });
    const std::jthread reader([&] { at_client = receive_stream(joined.client.get(), 2, joined.to_client, to_client); });
    EXPECT_EQ(receive_stream(joined.backend.get(), 1, joined.to_backend, to_backend), to_backend);
    EXPECT_EQ(receive_end(joined.backend.get()), 0);
  }
  EXPECT_TRUE(sent && answered);
  EXPECT_EQ(at_client, to_client);
  EXPECT_TRUE(send_stream(joined.backend.get(), 2, to_client, to_client + 300'000));
  joined.backend.reset();
  EXPECT_EQ(receive_stream(joined.client.get(), 2, to_client, to_client + 300'000), to_client + 300'000);
  EXPECT_EQ(receive_end(joined.client.get()), 0);
  joined.to_backend = to_backend;
  joined.to_client = to_client + 300'000;
}

TEST(BypassCarries, both_ways_with_half_close_and_exact_counts) {
  NetworkNamespace().call([] {
    const Bypassed bypassed;
    for (int round = 0; round < 5; ++round) {
      auto joined = join(bypassed);
      exchange(joined, 8 * mib);
      ASSERT_TRUE(eventually([&] { return bypassed.proxy->results().size() == static_cast<std::size_t>(round) + 1; }));
      const auto result = bypassed.proxy->results().back();
      EXPECT_EQ(result.total().to_upstream, joined.to_backend);
      EXPECT_EQ(result.total().to_client, joined.to_client);
      EXPECT_GT(result.kernel.to_upstream, 0U);
      EXPECT_GT(result.kernel.to_client, 300'000U);
    }
    const auto counted = bypassed.bypass->connections();
    EXPECT_EQ(counted.taken, 5U);
    EXPECT_EQ(counted.ended, 5U);
    EXPECT_EQ(counted.captured, 10U);
  });
}

TEST(BypassCarries, many_connections_at_once) {
  NetworkNamespace().call([] {
    const Bypassed bypassed;
    std::vector<Joined> all(8);
    for (auto& joined : all) joined = join(bypassed);
    std::vector<std::jthread> threads;
    for (auto& joined : all) threads.emplace_back([&joined] { exchange(joined, 2 * mib); });
    threads.clear();
    EXPECT_TRUE(eventually([&] { return bypassed.bypass->connections().ended == 8; }));
  });
}

TEST(BypassCarries, close_right_after_send_loses_nothing) {
  NetworkNamespace().call([] {
    const Bypassed bypassed;
    for (int round = 0; round < 20; ++round) {
      auto joined = join(bypassed);
      const auto end = joined.to_client + 500'000;
      ASSERT_TRUE(send_stream(joined.backend.get(), 2, joined.to_client, end));
      joined.backend.reset();
      ASSERT_EQ(receive_stream(joined.client.get(), 2, joined.to_client, end), end) << round;
      ASSERT_EQ(receive_end(joined.client.get()), 0);
    }
  });
}

TEST(BypassCarries, a_reset_arrives_as_one_behind_what_was_sent) {
  NetworkNamespace().call([] {
    const Bypassed bypassed;
    auto joined = join(bypassed);
    reset(joined.client);
    EXPECT_EQ(receive_end(joined.backend.get()), ECONNRESET);
    joined = join(bypassed);
    reset(joined.backend);
    EXPECT_EQ(receive_end(joined.client.get()), ECONNRESET);
  });
}

// What the proxy puts before the client's bytes (a PROXY header) shifts the positions.
TEST(BypassCarries, bytes_of_the_proxy_go_first) {
  NetworkNamespace().call([] {
    const Bypassed bypassed(loopback_ipv4, std::vector<std::uint8_t>(100, 0x55));
    Joined joined;
    joined.client = connect_to(bypassed.proxy->address());
    ASSERT_TRUE(send_stream(joined.client.get(), 1, 0, 300));
    joined.to_backend = 300;
    joined.backend = accept_from(bypassed.listener);
    std::uint8_t prefix[100];
    ASSERT_TRUE(eventually([&] { return ::recv(joined.backend.get(), prefix, sizeof(prefix), 0) == 100; }));
    EXPECT_EQ(prefix[99], 0x55);
    ASSERT_EQ(receive_stream(joined.backend.get(), 1, 0, 300), 300U);
    ASSERT_TRUE(eventually([&] { return talk(joined) && bypassed.bypass->traffic().messages_to_backend > 3; }));
    exchange(joined, mib);
  });
}

TEST(BypassCarries, ipv6) {
  NetworkNamespace(NetworkNamespace::Ipv6::on).call([] {
    const Bypassed bypassed(loopback_ipv6);
    auto joined = join(bypassed);
    exchange(joined, mib);
  });
}

TEST(BypassCarries, ipv6_socket_with_an_ipv4_address) {
  NetworkNamespace(NetworkNamespace::Ipv6::on).call([] {
    const Bypassed bypassed;
    Joined joined;
    joined.client.reset(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(bypassed.proxy->address().port);
    std::copy_n(loopback_ipv4.address.begin(), 16, address.sin6_addr.s6_addr);
    (void)::connect(joined.client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
    ASSERT_TRUE(send_stream(joined.client.get(), 1, 0, 300));
    joined.to_backend = 300;
    joined.backend = accept_from(bypassed.listener);
    ASSERT_EQ(receive_stream(joined.backend.get(), 1, 0, 300), 300U);
    ASSERT_TRUE(eventually([&] { return talk(joined) && bypassed.bypass->traffic().messages_to_backend > 3; }));
    exchange(joined, mib);
  });
}

}  // namespace
}  // namespace sonde::proxy::test
