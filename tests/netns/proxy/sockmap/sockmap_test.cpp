// SPDX-License-Identifier: Apache-2.0
// The sk_skb relay carries every byte once and in order, whatever the line and the readers do.
#include <gtest/gtest.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/utsname.h>

#include <chrono>
#include <cstdio>
#include <stdexcept>
#include <thread>

#include "actuators/proxy/sockmap/sockmap.hpp"
#include "base/socket_address.hpp"
#include "peers.hpp"
#include "relayed.hpp"

namespace sonde::proxy::test {
namespace {

// Where make() must find that the kernel queues without bound.
bool before_linux_6_4() {
  utsname system{};
  ::uname(&system);
  int major = 0;
  int minor = 0;
  return std::sscanf(system.release, "%d.%d", &major, &minor) == 2 && (major < 6 || (major == 6 && minor < 4));
}

struct SockmapOnALine : testing::Test {
  void SetUp() override {
    auto made = Sockmap::make();
    if (!made && before_linux_6_4()) GTEST_SKIP() << made.error().text();
    ASSERT_TRUE(made) << made.error().text();
    path = std::move(*made);
  }
  PlanRun run(const std::vector<Plan>& plans, std::size_t at_once) {
    TrialOptions options;
    options.path = path.get();
    options.splice = true;
    auto ran = run_plans(line, plans, at_once, options);
    for (const auto& fault : ran.faults) ADD_FAILURE() << fault;
    EXPECT_GT(path->counters().taken, plans.size() / 2);
    std::uint64_t kernel = 0;
    std::uint64_t total = 0;
    for (const auto& result : ran.results) {
      kernel += result.kernel.to_upstream + result.kernel.to_client;
      total += result.total().to_upstream + result.total().to_client;
    }
    EXPECT_GT(kernel, 0U);
    RecordProperty("carried_percent", static_cast<int>(kernel * 100 / std::max<std::uint64_t>(total, 1)));
    return ran;
  }
  Line line;
  std::unique_ptr<Sockmap> path;
};

TEST_F(SockmapOnALine, ManyConnections) { run(random_plans(500, 31, 4'000'000), 25); }

TEST_F(SockmapOnALine, WithLossAndReordering) {
  line.disturb(60);
  run(random_plans(250, 32, 1'500'000), 40);
  EXPECT_GT(line.lost(), 80U);
}

using namespace std::chrono_literals;

constexpr timeval patience{20, 0};

std::uint64_t acknowledged(int fd) {
  tcp_info info{};
  socklen_t size = sizeof(info);
  ::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size);
  return info.tcpi_bytes_acked;
}

/// One connection through the path, with small buffers at every socket.
struct SockmapConnection : SockmapOnALine {
  void SetUp() override {
    SockmapOnALine::SetUp();
    if (!path) return;
    for (const auto* where : {&line.client, &line.proxy, &line.upstream})
      where->run(
          "echo 4096 65536 200000 > /proc/sys/net/ipv4/tcp_rmem; echo 4096 16384 200000 > "
          "/proc/sys/net/ipv4/tcp_wmem");
    line.upstream.call([&] {
      listener.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      Endpoint any;
      any.address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 32, 0, 1};
      const SocketAddress address(any);
      if (::bind(listener.get(), address.get(), address.size()) != 0 || ::listen(listener.get(), 64) != 0)
        throw std::runtime_error("listen");
    });
    line.proxy.call([&] {
      TrialOptions options;
      options.path = path.get();
      options.splice = true;
      options.receive_buffer = receive_buffer;
      options.send_buffer = send_buffer;
      options.backend = local_endpoint(listener.get());
      options.listen.address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 31, 0, 2};
      auto started = TrialProxy::start(options);
      if (!started) throw std::runtime_error(started.error().text());
      proxy = std::move(*started);
    });
  }
  void connect() {
    line.client.call([&] { client.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)); });
    const SocketAddress address(proxy->address());
    ASSERT_EQ(::connect(client.get(), address.get(), address.size()), 0);
  }
  void accept() {
    upstream.reset(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    for (const int fd : {client.get(), upstream.get()}) {
      ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
      ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    }
  }
  int receive_buffer = 0;
  int send_buffer = 0;
  Fd listener;
  Fd client;
  Fd upstream;
  std::unique_ptr<TrialProxy> proxy;
};

// The trial proxy reads 16 KiB; the rest is in the socket's queue when the socket enters the map, and nothing comes
// after it.
TEST_F(SockmapConnection, WhatWasQueuedBeforeGoesOn) {
  constexpr std::uint64_t out = 40'000;
  constexpr std::uint64_t back = 5'000;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    connect();
    ASSERT_EQ(write_stream(client.get(), seed, out, false), 0);
    accept();
    ASSERT_EQ(write_stream(upstream.get(), ~seed, back, false), 0);
    ASSERT_TRUE(read_exactly(upstream.get(), seed, out)) << seed;
    ASSERT_TRUE(read_exactly(client.get(), ~seed, back)) << seed;
    client.reset();
    upstream.reset();
  }
  EXPECT_EQ(path->counters().taken, 51U);  // one is the trial in make()
}

// The same with nobody but the kernel to move it.
TEST_F(SockmapConnection, WhatWasQueuedBeforeNeedsNoReader) {
  connect();
  Fd client_far;
  Fd upstream_near;
  line.client.call([&] {
    const auto pair = [](Fd& near, Fd& far) {
      const Fd listening(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      ASSERT_EQ(::listen(listening.get(), 1), 0);
      near.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      const SocketAddress address(local_endpoint(listening.get()));
      ASSERT_EQ(::connect(near.get(), address.get(), address.size()), 0);
      far.reset(::accept4(listening.get(), nullptr, nullptr, SOCK_CLOEXEC));
    };
    pair(client, client_far);
    pair(upstream_near, upstream);
  });
  ASSERT_EQ(write_stream(client.get(), 9, 5'000, false), 0);
  ASSERT_TRUE(read_exactly(client_far.get(), 9, 1'000));
  ::setsockopt(upstream.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  SocketPair pair;
  pair.client_fd = client_far.get();
  pair.upstream_fd = upstream_near.get();
  const auto relay = path->take(pair);
  ASSERT_TRUE(relay);
  relay->begin();
  ASSERT_TRUE(read_exactly(upstream.get(), 9, 4'000, 1'000));
  EXPECT_EQ(relay->carried().to_upstream, 4'000U);
  for (int i = 0; i < 10'000 && !relay->delivered(Direction::to_upstream); ++i) std::this_thread::sleep_for(1ms);
  EXPECT_TRUE(relay->delivered(Direction::to_upstream));
}

TEST_F(SockmapConnection, AReaderThatStallsHoldsTheSenderBack) {
  constexpr std::uint64_t bytes = 30'000'000;
  connect();
  std::thread writer([&] {
    write_stream(client.get(), 5, bytes, false);
    ::shutdown(client.get(), SHUT_WR);
  });
  accept();
  std::uint64_t held = 0;
  for (std::uint64_t before = 1; held != before;) {  // until it stands still
    before = held;
    std::this_thread::sleep_for(700ms);
    held = acknowledged(client.get());
  }
  EXPECT_GT(held, 0U);
  EXPECT_LT(held, 2'000'000U) << "more than the buffers of four sockets and the relay";
  const Got got = read_stream(upstream.get(), 5);
  writer.join();
  EXPECT_EQ(got.bytes, bytes);
  EXPECT_FALSE(got.wrong);
  EXPECT_EQ(got.error, 0);
  EXPECT_GT(proxy->carried().to_upstream, 0U);
}

struct SockmapWithLargeBuffers : SockmapConnection {
  void SetUp() override {
    receive_buffer = 4 << 20;
    send_buffer = 1 << 19;
    SockmapConnection::SetUp();
  }
};

// The sender has sent everything: no segment comes that makes an event; what lies in the proxy's socket goes on when
// the upstream can be written to, all of it.
TEST_F(SockmapWithLargeBuffers, WhatWasHeldBackGoesOnWithoutAnEvent) {
  constexpr std::uint64_t bytes = 4'000'000;
  connect();
  std::thread writer([&] { write_stream(client.get(), 10, bytes, false); });
  accept();
  for (int i = 0; i < 100 && acknowledged(client.get()) < bytes; ++i) std::this_thread::sleep_for(50ms);
  EXPECT_GE(acknowledged(client.get()), bytes) << "the sender waits, too";
  writer.join();
  EXPECT_TRUE(read_exactly(upstream.get(), 10, bytes));
}

// A client that reads nothing until it has sent everything: what is for it must not be in the way of what is from it.
TEST_F(SockmapConnection, OneDirectionDoesNotWaitForTheOther) {
  constexpr std::uint64_t bytes = 20'000'000;
  connect();
  ASSERT_EQ(write_stream(client.get(), 6, 1000, false), 0);
  accept();
  std::thread answers([&] {
    write_stream(upstream.get(), 7, bytes, false);
    ::shutdown(upstream.get(), SHUT_WR);
  });
  Got upstream_got;
  std::thread reads([&] {
    std::string first(1000, '\0');
    ::recv(upstream.get(), first.data(), first.size(), MSG_WAITALL);
    std::this_thread::sleep_for(500ms);  // both directions stall
    upstream_got = read_stream(upstream.get(), 8);
  });
  EXPECT_EQ(write_stream(client.get(), 8, bytes, false), 0);
  ::shutdown(client.get(), SHUT_WR);
  const Got client_got = read_stream(client.get(), 7);
  answers.join();
  reads.join();
  EXPECT_EQ(upstream_got.bytes, bytes);
  EXPECT_EQ(client_got.bytes, bytes);
  EXPECT_FALSE(upstream_got.wrong || client_got.wrong);
}

}  // namespace
}  // namespace sonde::proxy::test
