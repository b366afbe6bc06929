// SPDX-License-Identifier: Apache-2.0
// Transfers that go on while the proxy is killed, started, and relieved; every byte is compared. What becomes of pins,
// records and counters besides is tested in server/.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <thread>

#include "on_the_wire.hpp"

namespace sonde::test {
namespace {

using namespace std::chrono_literals;

/// Both directions of a conversation, without pause, until stop() or an error.
class Transfer {
 public:
  explicit Transfer(Conversation& conversation) {
    for (const bool up : {true, false}) {
      auto& from = up ? conversation.client : conversation.server;
      auto& to = up ? conversation.server : conversation.client;
      threads_.emplace_back([this, &from] {
        while (!stop_ && from.send(piece)) {
        }
        from.shut();
      });
      auto& moved = up ? up_ : down_;
      auto& whole = up ? up_whole_ : down_whole_;
      threads_.emplace_back([&to, &moved, &whole] {
        std::uint64_t before = 0;
        do {
          before = to.received;
          whole = to.receive_some();
          moved = to.received;
        } while (to.received != before);
      });
    }
  }
  ~Transfer() { stop(); }

  void stop() {
    stop_ = true;
    for (auto& thread : threads_)
      if (thread.joinable()) thread.join();
  }
  [[nodiscard]] std::uint64_t up() const { return up_; }
  [[nodiscard]] std::uint64_t down() const { return down_; }
  /// Both streams came to their end, and every byte was right. After stop().
  [[nodiscard]] bool is_whole() const { return up_whole_ && down_whole_; }
  /// Both directions go on.
  [[nodiscard]] bool moves() const {
    constexpr std::uint64_t enough = 5 << 20;
    const auto up_before = up(), down_before = down();
    return eventually([&] { return up() > up_before + enough && down() > down_before + enough; }, 10s);
  }

 private:
  static constexpr std::uint64_t piece = 256 << 10;
  std::atomic<bool> stop_ = false;
  std::atomic<std::uint64_t> up_ = 0, down_ = 0;
  std::atomic<bool> up_whole_ = false, down_whole_ = false;
  std::vector<std::thread> threads_;
};

std::unique_ptr<Process> start_again(const NetworkNamespace& where, const Proxied& proxy) {
  auto process =
      std::make_unique<Process>(where, std::vector<std::string>{SONDE_PROGRAM, "proxy", proxy.config_path()});
  EXPECT_TRUE(process->wait_for_error_text("listens on", proxy_patience)) << process->errors();
  return process;
}

TEST(WireSurvival, ATransferGoesOnWhileTheProxyIsKilledAndStartedAgain) {
  const WiredHosts hosts;
  OnTheWire wire(hosts);
  auto conversation = wire.joined();
  Transfer transfer(conversation);
  EXPECT_TRUE(transfer.moves());
  wire.proxy().process().signal(SIGKILL);
  EXPECT_EQ(wire.proxy().process().wait(), 128 + SIGKILL);
  EXPECT_TRUE(transfer.moves());
  std::unique_ptr<Process> process;
  for (int i = 0; i < 3; ++i) {
    process = start_again(hosts.proxy, wire.proxy());
    EXPECT_TRUE(eventually([&] { return wire.proxy().status().at("wire").at("adopted") == 1; }));
    EXPECT_TRUE(transfer.moves());
    if (i == 2) break;
    process->signal(SIGKILL);
    EXPECT_EQ(process->wait(), 128 + SIGKILL);
    EXPECT_TRUE(transfer.moves());
  }
  EXPECT_EQ(wire.proxy().statistic("active_connections"), 1U);
  transfer.stop();
  EXPECT_TRUE(transfer.is_whole());
  conversation.client.fd.reset();
  conversation.server.fd.reset();
  const auto line = wire.proxy().log(1).back();
  EXPECT_EQ(line.at("bytes_received"), conversation.hello + conversation.client.sent) << line;
  EXPECT_EQ(line.at("bytes_sent"), conversation.server.sent) << line;
  EXPECT_EQ(line.at("path"), "wire") << line;
  wire.expect_nothing_left();
  EXPECT_EQ(wire.proxy().log().size(), 1U);
}

TEST(WireSurvival, ATransferGoesOnThroughATakeOver) {
  const WiredHosts hosts;
  OnTheWire wire(hosts);
  auto conversation = wire.joined();
  Transfer transfer(conversation);
  EXPECT_TRUE(transfer.moves());
  const auto successor = wire.proxy().successor();
  EXPECT_EQ(wire.proxy().process().wait(proxy_patience), 0) << wire.proxy().process().errors();
  EXPECT_TRUE(transfer.moves());
  EXPECT_TRUE(eventually([&] { return wire.proxy().statistic("active_connections") == 1; })) << wire.proxy().status();
  transfer.stop();
  EXPECT_TRUE(transfer.is_whole());
  conversation.client.fd.reset();
  conversation.server.fd.reset();
  const auto line = wire.proxy().log(1).back();
  EXPECT_EQ(line.at("bytes_received"), conversation.hello + conversation.client.sent) << line;
  EXPECT_EQ(line.at("bytes_sent"), conversation.server.sent) << line;
  wire.expect_nothing_left();
  EXPECT_EQ(wire.proxy().log().size(), 1U);
}

// While many join: each either goes on, or both its ends are told. None hangs, none has a wrong byte.
TEST(WireSurvival, KilledWhileConnectionsJoin) {
  const WiredHosts hosts;
  OnTheWire wire(hosts);
  for (int i = 0; i < 2; ++i) {
    Exchanged exchanged;
    std::thread traffic([&] {
      exchanged = run_exchange({.client = hosts.client,
                                .server = hosts.server,
                                .proxy = endpoint_at(proxy_ipv4, proxy_port),
                                .listener = endpoint_at(server_ipv4, server_port),
                                .connections = 24,
                                .at_once = 24,
                                .least = 100 << 20,
                                .most = 120 << 20,
                                .patience = 20s,
                                .listening = wire.listening().fd(),
                                .may_fail = true});
    });
    std::this_thread::sleep_for(std::chrono::milliseconds{300 + 200 * i});
    wire.proxy().process().signal(SIGKILL);
    EXPECT_EQ(wire.proxy().process().wait(), 128 + SIGKILL);
    std::this_thread::sleep_for(500ms);
    const auto process = start_again(hosts.proxy, wire.proxy());
    traffic.join();
    for (const auto& failure : exchanged.failures) {
      EXPECT_EQ(failure.find("differs"), std::string::npos) << failure;
      EXPECT_EQ(failure.find("more than"), std::string::npos) << failure;
      EXPECT_EQ(failure.find("stuck"), std::string::npos) << failure;
    }
    fmt::print("{}\n", exchanged.text());
    wire.expect_nothing_left();
    process->signal(SIGTERM);
    EXPECT_EQ(process->wait(proxy_patience), 0);
    if (i == 0) wire.start_anew();
  }
}

}  // namespace
}  // namespace sonde::test
