// SPDX-License-Identifier: Apache-2.0
// What random packets do not show: counts, shared counters, the swap of rule sets, rates, connections, the log.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <thread>

#include "base/fd.hpp"
#include "base/wall_clock.hpp"
#include "guard_kernel.hpp"
#include "harness/netns.hpp"

namespace sonde::test {
namespace {

GuardRule rule(GuardVerdict verdict, std::array<std::uint8_t, 4> address = {}, unsigned length = 0) {
  GuardRule made;
  made.id = 1;
  made.verdict = verdict;
  if (length == 0) return made;
  made.network.address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, address[0], address[1], address[2], address[3]};
  made.network.length = static_cast<std::uint8_t>(96 + length);
  return made;
}

Bytes udp_from(std::array<std::uint8_t, 4> source, std::size_t payload = 20) {
  return ethernet({}, ipv4({.protocol = 17, .source = source}, udp({}, counting(payload))));
}

class GuardPrograms : public testing::Test {
 protected:
  template <class Function>
  void inside(Function function) {
    net_.call([&] {
      GuardKernel kernel;
      function(kernel);
    });
  }
  NetworkNamespace net_;
};

TEST_F(GuardPrograms, WithoutRuleSetEverythingPasses) {
  inside([](GuardKernel& kernel) {
    const auto run = kernel.run("guard_xdp", udp_from({10, 0, 0, 1}));
    EXPECT_FALSE(run.dropped);
    EXPECT_EQ(run.outcome, SONDE_GUARD_UNGUARDED);
  });
}

TEST_F(GuardPrograms, CountsAreExactAndAddUp) {
  inside([](GuardKernel& kernel) {
    kernel.install(std::array{rule(GuardVerdict::block, {10, 0, 0, 1}, 32)});
    const auto dropped = udp_from({10, 0, 0, 1});
    const auto passed = udp_from({10, 0, 0, 2}, 100);
    kernel.run("guard_xdp", dropped, 100'000);
    kernel.run("guard_xdp", passed, 50'000);
    EXPECT_EQ(kernel.view().count(0).packets, 100'000U);
    EXPECT_EQ(kernel.view().count(0).bytes, 100'000U * dropped.size());
    const auto totals = kernel.totals();
    EXPECT_EQ(totals.outcomes[SONDE_GUARD_DROPPED_BLOCK].packets, 100'000U);
    EXPECT_EQ(totals.outcomes[SONDE_GUARD_PASSED].packets, 50'000U);
    EXPECT_EQ(totals.outcomes[SONDE_GUARD_PASSED].bytes, 50'000U * passed.size());
  });
}

// Where memory does not do for a shard a CPU, CPUs add to the same counters: no packet may get lost between them.
TEST_F(GuardPrograms, SharedCountersLoseNothing) {
  inside([this](GuardKernel& kernel) {
    auto options = compile_options();
    options.counter_bytes = 1;
    options.cpus = 8;
    kernel.install(std::array{rule(GuardVerdict::block, {10, 0, 0, 1}, 32)}, options);
    ASSERT_EQ(kernel.view().header().shared_shards, 1U);
    const auto frame = udp_from({10, 0, 0, 1});
    const auto program = *kernel.object().program_fd("guard_xdp");
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i) threads.emplace_back([&] { net_.call([&] { run_many(program, frame, 100'000); }); });
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(kernel.view().count(0).packets, 300'000U);
  });
}

// Both rule sets drop X and pass Y; packets go on while one replaces the other a hundred times.
TEST_F(GuardPrograms, NoWrongVerdictWhileRuleSetsAreReplaced) {
  inside([this](GuardKernel& kernel) {
    auto many = std::vector(500, rule(GuardVerdict::block, {192, 0, 2, 1}, 32));
    for (std::size_t i = 0; i < many.size(); ++i) many[i].network.address[14] = static_cast<std::uint8_t>(i);
    many.push_back(rule(GuardVerdict::block, {10, 0, 0, 0}, 8));
    const auto few = std::vector{rule(GuardVerdict::block, {10, 0, 0, 1}, 32)};
    kernel.install(few);
    const auto program = *kernel.object().program_fd("guard_xdp");
    std::atomic<bool> stop = false;
    std::atomic<std::uint64_t> dropped = 0, passed = 0;
    std::thread traffic([&] {
      net_.call([&] {
        const auto x = udp_from({10, 0, 0, 1}), y = udp_from({11, 0, 0, 1});
        while (!stop) {
          run_many(program, x, 500);
          run_many(program, y, 500);
          dropped += 500, passed += 500;
        }
      });
    });
    std::uint64_t counted = 0;
    for (int i = 0; i < 100; ++i) {
      std::optional<guard::RuleSetMap> old = std::move(kernel.rule_set());
      kernel.install(i % 2 == 0 ? many : few);
      counted += old->view()->count(i % 2 == 0 ? 0 : 500).packets;
    }
    stop = true;
    traffic.join();
    counted += kernel.view().count(0).packets;
    const auto totals = kernel.totals();
    EXPECT_GT(dropped, 1000U);
    EXPECT_EQ(totals.outcomes[SONDE_GUARD_DROPPED_BLOCK].packets, dropped);
    EXPECT_EQ(totals.outcomes[SONDE_GUARD_PASSED].packets, passed);
    EXPECT_EQ(totals.outcomes[SONDE_GUARD_UNGUARDED].packets, 0U);
    EXPECT_EQ(counted, dropped) << "a count was lost with its rule set";
  });
}

// Within 3 per cent of 20,000 packets a second, and of the same in bytes.
TEST_F(GuardPrograms, LimitsHoldTheirRate) {
  inside([](GuardKernel& kernel) {
    for (const bool bytes : {false, true}) {
      const auto frame = udp_from({10, 0, 0, 1});
      auto limit = rule(GuardVerdict::limit, {10, 0, 0, 0}, 8);
      limit.id = bytes ? 2 : 1;
      limit.rate = 20'000 * (bytes ? frame.size() : 1);
      limit.burst = limit.rate / 100;
      limit.rate_in_bytes = bytes;
      kernel.install(std::array{limit});
      const auto start = monotonic_ns();
      while (monotonic_ns() - start < 1'000'000'000) kernel.run("guard_xdp", frame);
      const auto seconds = static_cast<double>(monotonic_ns() - start) / 1e9;
      const auto passed = static_cast<double>(kernel.view().count(0).packets - kernel.view().limited(0).packets);
      if (kernel.view().limited(0).packets == 0) GTEST_SKIP() << "too slow a machine to exceed the rate";
      EXPECT_LE(passed, 20'000 * seconds * 1.03 + 200);
    }
  });
}

TEST_F(GuardPrograms, LimitsPassWhatTheyPromise) {
  inside([](GuardKernel& kernel) {
    auto limit = rule(GuardVerdict::limit);
    limit.rate = 1'000;
    limit.burst = 50;
    kernel.install(std::array{limit});
    const auto program = *kernel.object().program_fd("guard_xdp");
    const auto frame = udp_from({10, 0, 0, 1});
    const auto start = monotonic_ns();
    // What a pause of this thread is longer than the burst lasts is lost to the sender.
    double offered = 0;
    for (auto last = start; last - start < 1'000'000'000;) {
      run_many(program, frame, 1'000);
      const auto now = monotonic_ns();
      offered += std::min(static_cast<double>(now - last) / 1e6, 50.0);
      last = now;
    }
    const auto all = static_cast<double>(monotonic_ns() - start) / 1e6 + 50;
    const auto passed = static_cast<double>(kernel.view().count(0).packets - kernel.view().limited(0).packets);
    EXPECT_LE(passed, all + 1);
    EXPECT_GE(passed, offered * 0.98 - 30);
    // Another source has a rate of its own.
    EXPECT_EQ(kernel.run("guard_xdp", udp_from({10, 0, 0, 2})).outcome, SONDE_GUARD_PASSED_LIMIT);
  });
}

sockaddr_in address(std::uint16_t port) {
  sockaddr_in made{};
  made.sin_family = AF_INET;
  made.sin_port = htons(port);
  made.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return made;
}

std::uint16_t port_of(int socket) {
  sockaddr_in bound{};
  socklen_t size = sizeof(bound);
  EXPECT_EQ(::getsockname(socket, reinterpret_cast<sockaddr*>(&bound), &size), 0);
  return ntohs(bound.sin_port);
}

/// A connection within the namespace; addresses that are no loopback addresses, which default_drop spares anyway.
struct Connection {
  Fd listener, client, server;
  std::uint16_t client_port = 0, server_port = 0;
};

Connection connect_tcp(const sockaddr_in& to) {
  Connection made;
  made.listener = Fd(::socket(AF_INET, SOCK_STREAM, 0));
  EXPECT_EQ(::bind(made.listener.get(), reinterpret_cast<const sockaddr*>(&to), sizeof(to)), 0);
  EXPECT_EQ(::listen(made.listener.get(), 1), 0);
  auto target = to;
  target.sin_port = htons(port_of(made.listener.get()));
  made.client = Fd(::socket(AF_INET, SOCK_STREAM, 0));
  EXPECT_EQ(::connect(made.client.get(), reinterpret_cast<const sockaddr*>(&target), sizeof(target)), 0);
  made.server = Fd(::accept(made.listener.get(), nullptr, nullptr));
  made.client_port = port_of(made.client.get());
  made.server_port = port_of(made.listener.get());
  return made;
}

Bytes tcp_frame(std::uint16_t from, std::uint16_t to, std::uint8_t flags) {
  return ethernet({}, ipv4({.protocol = 6, .source = {10, 9, 9, 9}, .destination = {10, 9, 9, 9}},
                           tcp({.source_port = from, .destination_port = to, .flags = flags})));
}

// An accepted connection, its client's end, and what neither a listener nor a SYN to a connection has.
TEST_F(GuardPrograms, DefaultDropSparesEstablishedConnections) {
  net_.run("ip address add 10.9.9.9/32 dev lo");
  inside([](GuardKernel& kernel) {
    kernel.install(std::array{rule(GuardVerdict::default_drop)});
    auto to = address(0);
    ::inet_pton(AF_INET, "10.9.9.9", &to.sin_addr);
    const auto connection = connect_tcp(to);
    const auto outcome = [&](std::uint16_t from, std::uint16_t port, std::uint8_t flags) {
      return kernel.run("guard_xdp", tcp_frame(from, port, flags)).outcome;
    };
    constexpr std::uint8_t ack = 0x10, syn = 0x02, syn_ack = 0x12;
    EXPECT_EQ(outcome(connection.client_port, connection.server_port, ack), SONDE_GUARD_SPARED_ESTABLISHED);
    EXPECT_EQ(outcome(connection.server_port, connection.client_port, syn_ack), SONDE_GUARD_SPARED_ESTABLISHED);
    EXPECT_EQ(outcome(connection.client_port, connection.server_port, syn), SONDE_GUARD_DROPPED_DEFAULT);
    EXPECT_EQ(outcome(1, connection.server_port, ack), SONDE_GUARD_DROPPED_DEFAULT) << "a listener is no connection";
    EXPECT_EQ(kernel.run("guard_ingress", tcp_frame(connection.client_port, connection.server_port, ack)).outcome,
              SONDE_GUARD_SPARED_ESTABLISHED);
    // An ICMP error that quotes a packet of the connection, and one that quotes another.
    for (const auto port : {connection.client_port, std::uint16_t{2}}) {
      const auto quoted = ipv4({.protocol = 6, .source = {10, 9, 9, 9}, .destination = {10, 9, 9, 9}},
                               tcp({.source_port = connection.server_port, .destination_port = port}));
      auto message = icmp(3, 4, Bytes(4));
      message.resize(8);
      const auto frame = ethernet({}, ipv4({.protocol = 1}, message + quoted));
      EXPECT_EQ(kernel.run("guard_xdp", frame).outcome,
                port == connection.client_port ? SONDE_GUARD_SPARED_ESTABLISHED : SONDE_GUARD_DROPPED_DEFAULT);
    }
  });
}

TEST_F(GuardPrograms, DefaultDropSparesConnectedUdpOnly) {
  net_.run("ip address add 10.9.9.9/32 dev lo");
  inside([](GuardKernel& kernel) {
    kernel.install(std::array{rule(GuardVerdict::default_drop)});
    const Fd socket(::socket(AF_INET, SOCK_DGRAM, 0));
    auto local = address(5000), remote = address(53);
    ::inet_pton(AF_INET, "10.9.9.9", &local.sin_addr);
    ::inet_pton(AF_INET, "10.9.9.9", &remote.sin_addr);
    ASSERT_EQ(::bind(socket.get(), reinterpret_cast<sockaddr*>(&local), sizeof(local)), 0);
    const auto frame = ethernet({}, ipv4({.protocol = 17, .source = {10, 9, 9, 9}, .destination = {10, 9, 9, 9}},
                                         udp({.source_port = 53, .destination_port = 5000})));
    EXPECT_EQ(kernel.run("guard_xdp", frame).outcome, SONDE_GUARD_DROPPED_DEFAULT);
    ASSERT_EQ(::connect(socket.get(), reinterpret_cast<sockaddr*>(&remote), sizeof(remote)), 0);
    EXPECT_EQ(kernel.run("guard_xdp", frame).outcome, SONDE_GUARD_SPARED_ESTABLISHED);
  });
}

TEST_F(GuardPrograms, LogsWhileAReaderIsThere) {
  inside([](GuardKernel& kernel) {
    auto dry = rule(GuardVerdict::block, {10, 0, 0, 2}, 32);
    dry.id = 77;
    dry.dry_run = true;
    auto block = rule(GuardVerdict::block, {10, 0, 0, 1}, 32);
    block.id = 76;
    kernel.install(std::array{block, dry});
    kernel.run("guard_xdp", udp_from({10, 0, 0, 1}));
    EXPECT_EQ(kernel.totals().logged, 0U) << "nobody reads";
    sonde_guard_control control{};
    control.deadline_ns = static_cast<std::uint64_t>(monotonic_ns()) + 60'000'000'000U;
    control.outcomes = 1U << SONDE_GUARD_DROPPED_BLOCK;
    const std::uint32_t element = 0;
    ASSERT_TRUE(kernel::map_update(kernel.map("guard_control"), &element, &control));
    kernel.run("guard_xdp", udp_from({10, 0, 0, 1}));
    kernel.run("guard_xdp", udp_from({10, 0, 0, 2}));
    kernel.run("guard_xdp", udp_from({10, 0, 0, 3}));
    EXPECT_EQ(kernel.totals().logged, 2U);
    control.per_second = 5;
    ASSERT_TRUE(kernel::map_update(kernel.map("guard_control"), &element, &control));
    kernel.run("guard_xdp", udp_from({10, 0, 0, 1}), 100);
    EXPECT_LE(kernel.totals().logged, 2U + 10U);
    EXPECT_EQ(kernel.totals().logged + kernel.totals().log_skipped + kernel.totals().log_lost, 102U);
    control.deadline_ns = 1;
    ASSERT_TRUE(kernel::map_update(kernel.map("guard_control"), &element, &control));
    const auto before = kernel.totals().logged;
    kernel.run("guard_xdp", udp_from({10, 0, 0, 1}));
    EXPECT_EQ(kernel.totals().logged, before) << "the reader is gone";
  });
}

TEST_F(GuardPrograms, TcCountsTheSegmentsThatOffloadMerged) {
  inside([](GuardKernel& kernel) {
    kernel.install(std::array{rule(GuardVerdict::block, {10, 0, 0, 1}, 32)});
    const auto frame = ethernet({}, ipv4({.source = {10, 0, 0, 1}}, tcp({}, counting(1000))));
    EXPECT_TRUE(kernel.run_tc("guard_ingress", frame, 1, 4).dropped);
    EXPECT_EQ(kernel.view().count(0).packets, 4U);
  });
}

TEST_F(GuardPrograms, BareIp) {
  inside([](GuardKernel& kernel) {
    auto out = rule(GuardVerdict::block, {10, 0, 0, 2}, 32);
    out.direction = GuardDirection::out;
    kernel.install(std::array{rule(GuardVerdict::block, {10, 0, 0, 1}, 32), out});
    const auto packet = ipv4({.source = {10, 0, 0, 1}, .destination = {10, 0, 0, 2}}, tcp({}));
    EXPECT_TRUE(kernel.run("guard_ingress", ethernet({}, packet)).dropped);
    EXPECT_TRUE(kernel.run("guard_egress", ethernet({}, packet)).dropped);
    EXPECT_TRUE(kernel.run("guard_raw_ingress", packet).dropped);
    EXPECT_TRUE(kernel.run("guard_raw_egress", packet).dropped);
  });
}

}  // namespace
}  // namespace sonde::test
