// SPDX-License-Identifier: Apache-2.0
// What the bypass leaves alone, and how much it holds.
#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <thread>

#include "base/socket_address.hpp"
#include "harness/command.hpp"
#include "peers.hpp"

namespace sonde::proxy::test {
namespace {

using sonde::test::NetworkNamespace;

constexpr std::uint64_t mib = 1 << 20;

/// Bytes that the kernel says lie unread in a socket, with their overhead: `ss` as the oracle.
std::uint64_t unread_bytes(const Fd& socket) {
  const auto local = local_endpoint(socket.get());
  const auto remote = remote_endpoint(socket.get());
  const auto text = sonde::test::run("ss -tmnH sport = :" + std::to_string(local.port) +
                                     " and dport = :" + std::to_string(remote.port));
  const auto at = text.find("skmem:(r");
  return at == std::string::npos ? 0 : std::stoull(text.substr(at + 8));
}

/// Sends until nothing goes for 100 ms: up to where in the stream.
std::uint64_t send_until_full(int fd, std::uint64_t from) {
  std::vector<std::uint8_t> bytes(64 << 10);
  while (true) {
    for (std::uint64_t i = 0; i < bytes.size(); ++i) bytes[i] = stream_byte(1, from + i);
    const auto sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent > 0) from += static_cast<std::uint64_t>(sent);
    pollfd writable{fd, POLLOUT, 0};
    if (sent < 0 && ::poll(&writable, 1, 100) == 0) return from;
    if (from > 256 * mib) return from;
  }
}

TEST(BypassLimits, a_stalled_reader_holds_little_and_redirecting_begins_again) {
  NetworkNamespace().call([] {
    const Bypassed bypassed;
    auto joined = join(bypassed);
    const auto full = send_until_full(joined.client.get(), joined.to_backend);
    // 4 MiB redirected, a message more, and the buffers of TCP on the way through the proxy.
    EXPECT_LT(full - joined.to_backend, 24 * mib);
    EXPECT_GT(full - joined.to_backend, 3 * mib);
    EXPECT_LT(unread_bytes(joined.backend), 8 * mib);
    EXPECT_GT(bypassed.bypass->traffic().full, 0U);
    EXPECT_EQ(receive_stream(joined.backend.get(), 1, joined.to_backend, full), full);
    joined.to_backend = full;
    const auto before = bypassed.bypass->traffic().messages_to_backend;
    EXPECT_TRUE(eventually([&] { return talk(joined) && bypassed.bypass->traffic().messages_to_backend > before; }));
    EXPECT_EQ(unread_bytes(joined.backend), 0U);
  });
}

// Falls back to TCP and returns, over and over: the order stays.
TEST(BypassLimits, bytes_stay_in_order_over_many_fallbacks) {
  NetworkNamespace().call([] {
    const Bypassed bypassed;
    auto joined = join(bypassed);
    for (int round = 0; round < 10; ++round) {
      const auto to = joined.to_backend + 12 * mib;
      std::jthread sender([&] { EXPECT_TRUE(send_stream(joined.client.get(), 1, joined.to_backend, to)); });
      const auto full = bypassed.bypass->traffic().full;
      ASSERT_TRUE(eventually([&] { return bypassed.bypass->traffic().full > full; }));
      ASSERT_EQ(receive_stream(joined.backend.get(), 1, joined.to_backend, to), to) << round;
      sender.join();
      joined.to_backend = to;
      ASSERT_TRUE(talk(joined));
    }
    const auto traffic = bypassed.bypass->traffic();
    EXPECT_GT(traffic.full, 0U);
    EXPECT_GT(traffic.not_drained, 0U);
    EXPECT_GT(traffic.messages_to_backend, 100U);
    EXPECT_EQ(traffic.passed, traffic.handshake + traffic.not_drained + traffic.full + traffic.gone + traffic.unsuited);
  });
}

TEST(BypassLimits, only_relayed_sockets_are_captured) {
  NetworkNamespace().call([] {
    const Bypassed bypassed;
    const Fd other_listener = listen_at(loopback_ipv4);
    Joined direct{connect_to(local_endpoint(bypassed.listener.get())), accept_from(bypassed.listener)};
    Joined other{connect_to(local_endpoint(other_listener.get())), accept_from(other_listener)};
    auto joined = join(bypassed);
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(talk(direct) && talk(other) && talk(joined));
    for (const Fd* fd : {&direct.client, &direct.backend, &other.client, &other.backend})
      EXPECT_FALSE(bypassed.bypass->has_captured(local_endpoint(fd->get()), remote_endpoint(fd->get())));
    for (const Fd* fd : {&joined.client, &joined.backend})
      EXPECT_TRUE(bypassed.bypass->has_captured(local_endpoint(fd->get()), remote_endpoint(fd->get())));
    EXPECT_EQ(bypassed.bypass->connections().captured, 2U);
    const auto local = local_endpoint(joined.client.get());
    const auto remote = remote_endpoint(joined.client.get());
    joined.client.reset();
    EXPECT_TRUE(eventually([&] { return !bypassed.bypass->has_captured(local, remote); }));
  });
}

// A blocking read of a captured socket would end with EAGAIN for no reason.
TEST(BypassLimits, programs_that_block_are_left_alone) {
  NetworkNamespace().call([] {
    const Bypassed bypassed;
    Joined joined;
    joined.client = connect_to(bypassed.proxy->address(), true);
    ASSERT_TRUE(send_stream(joined.client.get(), 1, 0, 300));
    joined.to_backend = 300;
    joined.backend = accept_from(bypassed.listener);
    ASSERT_EQ(receive_stream(joined.backend.get(), 1, 0, 300), 300U);
    ASSERT_TRUE(eventually([&] { return talk(joined) && bypassed.bypass->connections().declined_blocking == 1; }));
    for (const Fd* fd : {&joined.client, &joined.backend})
      EXPECT_FALSE(bypassed.bypass->has_captured(local_endpoint(fd->get()), remote_endpoint(fd->get())));
    EXPECT_EQ(bypassed.bypass->traffic().messages_to_backend, 0U);
  });
}

TEST(BypassLimits, short_connections_are_not_captured) {
  NetworkNamespace().call([] {
    const Bypassed bypassed;
    for (std::uint64_t i = 1; i <= 20; ++i) {
      Fd client = connect_to(bypassed.proxy->address());
      ASSERT_TRUE(send_stream(client.get(), 1, 0, 300));
      Fd backend = accept_from(bypassed.listener);
      ASSERT_EQ(receive_stream(backend.get(), 1, 0, 300), 300U);
      ASSERT_TRUE(send_stream(backend.get(), 2, 0, 300));
      backend.reset();
      ASSERT_EQ(receive_stream(client.get(), 2, 0, 400), 300U);
    }
    EXPECT_TRUE(eventually([&] { return bypassed.proxy->results().size() == 20; }));
    EXPECT_TRUE(eventually([&] {
      const auto now = bypassed.bypass->connections();
      return now.declined_short + now.taken + now.declined_client + now.declined_backend == 20;
    }));
    EXPECT_GT(bypassed.bypass->connections().declined_short, 0U);
  });
}

// SO_RCVLOWAT keeps a reader in tcp_recvmsg(), which sees nothing that is redirected.
TEST(BypassLimits, a_reader_that_waits_for_more_gets_it_over_tcp) {
  NetworkNamespace().call([] {
    const Bypassed bypassed;
    Joined joined;
    std::vector<std::uint8_t> message(1000, 7);
    const auto say = [&](const Fd& from, const Fd& to) {
      if (::send(from.get(), message.data(), message.size(), MSG_NOSIGNAL) != 1000) return false;
      pollfd readable{to.get(), POLLIN, 0};
      return ::poll(&readable, 1, 5000) == 1 && ::recv(to.get(), message.data(), message.size(), 0) == 1000;
    };
    joined.client = connect_to(bypassed.proxy->address());
    ASSERT_EQ(::send(joined.client.get(), message.data(), message.size(), 0), 1000);
    joined.backend = accept_from(bypassed.listener);
    const int low_water = 1000;
    ASSERT_EQ(::setsockopt(joined.backend.get(), SOL_SOCKET, SO_RCVLOWAT, &low_water, sizeof(low_water)), 0);
    pollfd readable{joined.backend.get(), POLLIN, 0};
    ASSERT_EQ(::poll(&readable, 1, 5000), 1);
    ASSERT_EQ(::recv(joined.backend.get(), message.data(), message.size(), 0), 1000);
    ASSERT_TRUE(eventually([&] { return bypassed.bypass->connections().taken == 1; }));
    for (int i = 0; i < 5; ++i) ASSERT_TRUE(say(joined.client, joined.backend) && say(joined.backend, joined.client));
    EXPECT_EQ(bypassed.bypass->traffic().messages_to_backend, 0U);
    EXPECT_GT(bypassed.bypass->traffic().unsuited, 0U);
    EXPECT_GT(bypassed.bypass->traffic().messages_to_client, 0U);
  });
}

}  // namespace
}  // namespace sonde::proxy::test
