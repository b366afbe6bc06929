// SPDX-License-Identifier: Apache-2.0
// What others see of connections on the wire: interface counters, ss, tcpdump, the sensors of sonde.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <csignal>
#include <regex>
#include <thread>

#include "harness/command.hpp"
#include "on_the_wire.hpp"

namespace sonde::test {
namespace {

using namespace std::chrono_literals;

class WireCounters : public testing::Test {
 protected:
  static constexpr std::uint64_t much = 20 << 20;

  WiredHosts hosts_;
  OnTheWire wire_{hosts_};
};

/// Bytes that the proxy's sockets have received, all together, as the kernel counts them.
std::uint64_t received_by_sockets(const NetworkNamespace& where) {
  const auto text = where.run("ss -Htino state connected");
  std::uint64_t sum = 0;
  const std::regex pattern("bytes_received:([0-9]+)");
  for (std::sregex_iterator at(text.begin(), text.end(), pattern), end; at != end; ++at) sum += std::stoull((*at)[1]);
  return sum;
}

/// Of all its threads, by the scheduler.
std::chrono::nanoseconds processor_time(pid_t process) {
  std::int64_t sum = 0;
  for (const auto& line : lines_of(run(fmt::format("cat /proc/{}/task/*/schedstat", process)))) sum += std::stoll(line);
  return std::chrono::nanoseconds(sum);
}

TEST_F(WireCounters, SocketsOfTheProxySleep) {
  auto conversation = wire_.joined();
  const auto before = received_by_sockets(hosts_.proxy);
  const auto time_before = processor_time(wire_.proxy().pid());
  const auto began = std::chrono::steady_clock::now();
  EXPECT_TRUE(conversation.talk(5 * much));
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(std::chrono::steady_clock::now() - began).count();
  EXPECT_EQ(received_by_sockets(hosts_.proxy), before);
  // The keeper walks once a second, for 0.1 to 0.3 ms; to splice this takes 60 ms.
  EXPECT_LT(processor_time(wire_.proxy().pid()) - time_before, seconds * 3ms + 3ms);
}

// Packets of a side in the table, and those of the interface: with GSO they stand for the same number.
TEST_F(WireCounters, PacketsAreThoseOfTheInterfaces) {
  auto conversation = wire_.joined();
  hosts_.client.run("ip link set eth0 gso_max_segs 1");
  const auto packets = [&] { return wire_connection(hosts_.proxy, conversation.client_end)->sides[0].packets; };
  const auto seen = [&] { return interface_counter(hosts_.proxy, "west", "rx_packets"); };
  const auto sent = [&] { return interface_counter(hosts_.proxy, "east", "tx_packets"); };
  std::this_thread::sleep_for(300ms);  // an acknowledgement may be late
  const std::uint64_t packets_before = packets(), seen_before = seen(), sent_before = sent();
  EXPECT_TRUE(conversation.talk(much));
  std::this_thread::sleep_for(300ms);
  const std::uint64_t packets_after = packets(), seen_after = seen(), sent_after = sent();
  EXPECT_GT(packets_after - packets_before, much / 1500);
  constexpr std::uint64_t others = 20;  // neighbour discovery
  EXPECT_GE(seen_after - seen_before, packets_after - packets_before);
  EXPECT_LE(seen_after - seen_before, packets_after - packets_before + others);
  EXPECT_GE(sent_after - sent_before, packets_after - packets_before);
  EXPECT_LE(sent_after - sent_before, packets_after - packets_before + others);
}

/// Bytes of TCP payload that tcpdump saw with this filter.
struct Capture {
  Capture(const NetworkNamespace& where, const std::string& interface, const std::string& filter)
      : process(where, {"tcpdump", "-i", interface, "-n", "-q", "-l", "-B", "65536", "-s", "100", filter}) {
    EXPECT_TRUE(process.wait_for_error_text("listening on"));
    std::this_thread::sleep_for(200ms);
  }
  std::uint64_t finish() {
    std::this_thread::sleep_for(500ms);
    process.signal(SIGINT);
    process.wait();
    std::uint64_t bytes = 0;
    for (const auto& line : lines_of(process.output()))
      if (const auto at = line.rfind("tcp "); at != std::string::npos) bytes += std::stoull(line.substr(at + 4));
    return bytes;
  }
  Process process;
};

TEST_F(WireCounters, TcpdumpSeesThePacketsOnBothInterfaces) {
  auto conversation = wire_.joined();
  Capture west(hosts_.proxy, "west", "tcp src port 8443 or tcp dst port 8443");
  Capture east(hosts_.proxy, "east", "tcp src port 9443 or tcp dst port 9443");
  EXPECT_TRUE(conversation.talk(1 << 20));
  EXPECT_EQ(west.finish(), 2U << 20);
  EXPECT_EQ(east.finish(), 2U << 20);
}

}  // namespace
}  // namespace sonde::test
