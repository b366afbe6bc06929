// SPDX-License-Identifier: Apache-2.0
// `sonde stats` beside the interface's own counters, which must say the same.
#include <gtest/gtest.h>

#include <unistd.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <csignal>
#include <functional>
#include <map>
#include <stdexcept>

#include "harness/process.hpp"
#include "harness/traffic.hpp"

namespace sonde::test {
namespace {

using Json = nlohmann::json;

struct Stats {
  int status = -1;
  std::string output, errors;
  Json total;  ///< of veth0
};

Stats run_stats(const NetworkNamespace& where, std::vector<std::string> words, const std::function<void()>& traffic) {
  words.insert(words.begin(), {SONDE_PROGRAM, "stats"});
  Process process(where, std::move(words));
  if (!process.wait_for_error_text("veth0: in by", std::chrono::minutes{2}))
    throw std::runtime_error("no start: " + process.errors());
  traffic();
  process.signal(SIGINT);
  Stats stats;
  stats.status = process.wait();
  stats.output = process.output();
  stats.errors = process.errors();
  for (const auto& line : lines_of(stats.output)) {
    const auto object = Json::parse(line, nullptr, false);
    if (object.is_object() && object["interface"] == "veth0") stats.total = object["total"];
  }
  return stats;
}

Stats run_json(const NetworkNamespace& where, const std::function<void()>& traffic) {
  return run_stats(where, {"-i", "veth0", "-o", "json", "--interval", "1h"}, traffic);
}

std::uint64_t sum_of_sizes(const Json& direction) {
  std::uint64_t sum = 0;
  for (const auto& [name, count] : direction["sizes"].items()) sum += count.get<std::uint64_t>();
  return sum;
}

Bytes frame_of(std::size_t size) {  // link header included
  return ethernet({.broadcast = true}, ipv4({.protocol = 17}, udp({}, counting(size - 42))));
}

TEST(Stats, UdpFloodsOfBothDirectionsAreCoveredToThePacket) {
  const Pair pair;
  const auto stats = run_json(pair.left, [&] {
    send_frame(pair.right, "veth1", frame_of(100), 7000);
    send_frame(pair.left, "veth0", frame_of(1400), 5000);
  });
  EXPECT_EQ(stats.status, 0) << stats.errors;
  const auto& in = stats.total["in"];
  const auto& out = stats.total["out"];
  EXPECT_EQ(in["wire"]["packets"], 7000);
  EXPECT_EQ(in["wire"]["bytes"], 700'000);
  EXPECT_EQ(in["device"], in["wire"]);
  EXPECT_EQ(in["protocols"]["udp"]["packets"], 7000);
  EXPECT_EQ(in["coverage"], 1.0);
  EXPECT_EQ(out["wire"]["packets"], 5000);
  EXPECT_EQ(out["device"], out["wire"]);
  EXPECT_EQ(out["coverage"], 1.0);
  EXPECT_EQ(out["sizes"]["1518"], 5000);
  EXPECT_NE(stats.errors.find("0 lost; the books balance"), std::string::npos) << stats.errors;
}

void send_megabytes(const NetworkNamespace& from, const NetworkNamespace& to, const std::string& address) {
  Process server(to, {"sh", "-c", "nc -l 9000 > /dev/null"});
  for (int i = 0; i < 100 && to.run("ss -Hltn sport = 9000").empty(); ++i) ::usleep(20'000);
  from.run("head -c 30000000 /dev/zero | nc -N " + address + " 9000");
  (void)server.wait();
}

std::uint64_t retransmitted_segments(const NetworkNamespace& where) {
  return std::stoull(where.run("awk '/^Tcp: [0-9]/ { print $13 }' /proc/net/snmp"));
}

// A veth counts what offload keeps together as one packet: in its unit we must have them all, in ours every segment.
TEST(Stats, OffloadedTcpOfBothDirectionsIsCoveredToThePacket) {
  const Pair pair;
  const auto stats = run_json(pair.left, [&] {
    send_megabytes(pair.left, pair.right, "10.9.0.2");
    send_megabytes(pair.right, pair.left, "10.9.0.1");
  });
  const bool each_once = retransmitted_segments(pair.left) + retransmitted_segments(pair.right) == 0;
  for (const auto* name : {"in", "out"}) {
    const auto& direction = stats.total[name];
    SCOPED_TRACE(direction.dump());
    EXPECT_LT(direction["frames"]["packets"], direction["wire"]["packets"]) << "no offload, no test";
    EXPECT_EQ(direction["device_unit"], "frames");
    EXPECT_EQ(direction["frames"], direction["device"]);
    EXPECT_EQ(direction["coverage"], 1.0);
    EXPECT_EQ(sum_of_sizes(direction), direction["wire"]["packets"]);
    EXPECT_EQ(direction["protocols"]["tcp"]["packets"], direction["wire"]["packets"]);
    // Each packet on the wire has 66 bytes of headers, the SYN and the SYN-ACK 74: the rest is what was sent.
    const auto payload = direction["wire"]["bytes"].get<std::uint64_t>() -
                         66 * direction["wire"]["packets"].get<std::uint64_t>() - 2 * 8;
    EXPECT_GE(payload, 30'000'000U);
    // What was sent again comes on top, as do the SACK blocks of the other direction.
    if (each_once) {
      EXPECT_EQ(payload, 30'000'000U);
    }
  }
}

TEST(Stats, SizesFallIntoTheClassesOfRmon) {
  const Pair pair;
  pair.left.run("ip link set veth0 mtu 9000");
  pair.right.run("ip link set veth1 mtu 9000");
  struct Case {
    std::size_t size;  // without the frame check sequence of four bytes
    std::size_t count;
    const char* name;
  };
  const std::vector<Case> cases = {{60, 1, "64"},       {61, 2, "127"},       {123, 4, "127"},
                                   {124, 8, "255"},     {251, 16, "255"},     {252, 32, "511"},
                                   {507, 64, "511"},    {508, 128, "1023"},   {1019, 256, "1023"},
                                   {1020, 512, "1518"}, {1514, 1024, "1518"}, {1515, 2048, "more"}};
  std::map<std::string, std::uint64_t> expected;
  for (const auto& one : cases) expected[one.name] += one.count;
  const auto stats = run_json(pair.left, [&] {
    for (const auto& one : cases) send_frame(pair.right, "veth1", frame_of(one.size), one.count);
  });
  EXPECT_EQ(stats.total["in"]["sizes"], Json(expected)) << stats.output;
}

TEST(Stats, TextSaysHowMuchIsCovered) {
  const Pair pair;
  const auto stats = run_stats(pair.left, {"-i", "veth0", "--interval", "1h"},
                               [&] { send_frame(pair.right, "veth1", frame_of(100), 70); });
  EXPECT_EQ(stats.status, 0);
  EXPECT_NE(stats.output.find("100.00 %"), std::string::npos) << stats.output;
  EXPECT_NE(stats.output.find("size, %"), std::string::npos) << stats.output;
  EXPECT_EQ(stats.output.find('\033'), std::string::npos);
}

TEST(Stats, OnceIsOneIntervalAndAnInterfaceThatComesLaterIsSeenByAny) {
  const Pair pair;
  Process once(pair.left, {SONDE_PROGRAM, "stats", "--once", "--interval", "200ms", "-o", "json"});
  EXPECT_EQ(once.wait(), 0);
  EXPECT_EQ(lines_of(once.output()).size(), 2U) << "lo and veth0: " << once.output();
  Process any(pair.left, {SONDE_PROGRAM, "stats", "--interval", "200ms", "-o", "json"});
  ASSERT_TRUE(any.wait_for_output_text("veth0"));
  pair.left.run("ip link add later0 type veth peer name later1 && ip link set later0 up");
  EXPECT_TRUE(any.wait_for_output_text("later0"));
  pair.left.run("ip link del later0");
  EXPECT_TRUE(any.wait_for_output_text("\"gone\":true"));
  any.signal(SIGTERM);
  EXPECT_EQ(any.wait(), 0) << any.errors();
}

}  // namespace
}  // namespace sonde::test
