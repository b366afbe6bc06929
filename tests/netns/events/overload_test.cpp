// SPDX-License-Identifier: Apache-2.0
// A reader that does not read, and a ring that has room for a few events: what the kernel counts is given or counted as
// lost. The ledger is that of the whole host, so another namespace's events make a round worthless; then it is
// repeated.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <functional>
#include <sstream>
#include <thread>
#include <vector>

#include "base/fd.hpp"
#include "harness/traffic.hpp"
#include "sonde/events.hpp"

namespace sonde::test {
namespace {

using namespace std::chrono_literals;

constexpr std::uint16_t port = 40008;
constexpr std::uint64_t smallest_ring = 4096;

/// A counter of "Tcp:" in /proc/net/snmp.
std::uint64_t tcp_counter(const NetworkNamespace& where, const std::string& name) {
  std::istringstream lines(where.run("grep '^Tcp:' /proc/net/snmp"));
  std::string first, second;
  std::getline(lines, first);
  std::getline(lines, second);
  std::istringstream names(first), values(second);
  for (std::string column, value; names >> column && values >> value;)
    if (column == name) return std::stoull(value);
  throw std::runtime_error("no counter " + name);
}

/// Begins to connect; closed with the descriptor.
Fd begin_connect() {
  Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_in to{.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(0x0a090002)}, .sin_zero = {}};
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&to), sizeof(to)) != 0 && errno != EINPROGRESS &&
      errno != ECONNREFUSED)
    throw std::runtime_error("connect");
  return socket;
}

struct Round {
  std::uint64_t produced = 0;   ///< by the kernel's counter
  std::uint64_t delivered = 0;  ///< segments or events
  LossReport loss;

  [[nodiscard]] bool exact() const { return produced == delivered + loss.lost(); }
};

void expect_overloaded(const Round& round) {
  EXPECT_TRUE(round.loss.balanced());
  EXPECT_GT(round.delivered, 0U);
  EXPECT_GT(round.loss.lost(), round.produced / 2);
  EXPECT_EQ(round.produced, round.delivered + round.loss.lost());
  for (const auto& stage : round.loss.stages)
    EXPECT_EQ(stage.lost, stage.name == "ring" ? round.loss.lost() : 0U) << stage.name;
}

Round repeat_until_exact(const std::function<Round()>& play) {
  auto round = play();
  for (int again = 0; again < 4 && !round.exact(); ++again) round = play();
  return round;
}

/// Traffic first, then the reader.
template <class Event>
Round overload(const NetworkNamespace& where, const std::string& counter, const std::function<void()>& traffic,
               const std::function<std::uint64_t(const Event&)>& worth) {
  Round round;
  EventOptions options;
  options.output.clear();
  options.buffer_bytes = smallest_ring;
  auto watch = EventStream<Event>::make(options, [&](const Event& event) { round.delivered += worth(event); });
  if (!watch) throw std::runtime_error(watch.error().text());
  const auto before = tcp_counter(where, counter);
  where.call(traffic);
  round.produced = tcp_counter(where, counter) - before;
  watch->stop();
  round.loss = watch->run().loss;
  return round;
}

// Each SYN that is sent again is an event of one segment.
TEST(Overload, EveryRetransmissionIsGivenOrCounted) {
  const Pair pair;
  pair.right.run(
      "nft 'table inet t { chain c { type filter hook prerouting priority -400; tcp dport 40008 drop; }; }'");
  const auto traffic = [] {
    std::vector<Fd> sockets;
    for (int i = 0; i < 500; ++i) sockets.push_back(begin_connect());
    std::this_thread::sleep_for(1600ms);  // the first timeout is after a second
  };
  const auto round = repeat_until_exact([&] {
    return overload<Retransmission>(pair.left, "RetransSegs", traffic,
                                    [](const Retransmission& event) { return event.segments + event.unreported; });
  });
  EXPECT_GE(round.produced, 500U);
  expect_overloaded(round);
}

// Each connection is refused, which is one event.
TEST(Overload, EveryConnectionIsGivenOrCounted) {
  const Pair pair;
  const auto traffic = [] {
    for (int i = 0; i < 3000; ++i) begin_connect();
  };
  const auto round = repeat_until_exact(
      [&] { return overload<Connection>(pair.left, "ActiveOpens", traffic, [](const Connection&) { return 1U; }); });
  EXPECT_EQ(round.produced, 3000U);
  expect_overloaded(round);
}

}  // namespace
}  // namespace sonde::test
