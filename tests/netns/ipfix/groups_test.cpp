// SPDX-License-Identifier: Apache-2.0
// `sonde flows` on real connections: whatever flows are put together by, the sums are those of the interface.
#include <gtest/gtest.h>

#include <unistd.h>

#include "flows_program.hpp"

namespace sonde::test {
namespace {

struct Sum {
  std::uint64_t packets = 0, bytes = 0;
  friend bool operator==(const Sum&, const Sum&) = default;
  friend void PrintTo(const Sum& sum, std::ostream* out) { *out << sum.packets << " packets " << sum.bytes; }
};

void add(Sum& sum, const Json& count) {
  sum.packets += count["packets"].get<std::uint64_t>();
  sum.bytes += count["bytes"].get<std::uint64_t>();
}

Sum sum_of(const FlowsRun& run) {
  Sum sum;
  for (const auto& object : run.objects) {
    if (object["type"] == "flow") {
      add(sum, object["opener"]["delta"]);
      add(sum, object["responder"]["delta"]);
    } else {
      add(sum, object["interval"]["sent"]);
      add(sum, object["interval"]["received"]);
    }
  }
  return sum;
}

// All that veth0 counts; there is no packet but IP between the two, whose neighbours are set.
Sum counters(const Pair& pair) {
  Sum sum;
  for (const auto* direction : {"rx", "tx"}) {
    sum.packets += interface_counter(pair.left, "veth0", std::string(direction) + "_packets");
    sum.bytes += interface_counter(pair.left, "veth0", std::string(direction) + "_bytes");
  }
  return sum;
}

void make_traffic(const Pair& pair) {
  exchange_tcp(pair.left, pair.right, "10.9.0.2", 0, 8080, std::string(1000, 'a'), std::string(1200, 'b'));
  exchange_tcp(pair.right, pair.left, "10.9.0.1", 0, 8081, "question", "answer");
  for (std::uint16_t port = 100; port < 120; ++port) send_udp(pair.left, "10.9.0.2", 40'000, port, "hello");
  pair.left.run("ping -c 3 -i 0.05 10.9.0.2");
  ::usleep(1'500'000);  // more than one interval
}

class By : public testing::TestWithParam<const char*> {};

TEST_P(By, SumsAreThoseOfTheInterface) {
  const Pair pair;
  pair.left.run("ethtool -K veth0 tso off gso off gro off");  // so that the interface counts wire packets
  pair.right.run("ethtool -K veth1 tso off gso off gro off");
  Sum before, after;
  const auto run = run_flows(pair.left, {"-i", "veth0", "-o", "json", "--by", GetParam()}, [&] {
    before = counters(pair);
    make_traffic(pair);
    after = counters(pair);
  });
  EXPECT_EQ(run.status, 0) << run.errors;
  EXPECT_TRUE(run.balanced()) << run.errors;
  const Sum expected{after.packets - before.packets, after.bytes - before.bytes};
  EXPECT_GT(expected.packets, 30U);
  EXPECT_EQ(sum_of(run), expected);
  EXPECT_EQ(run.summary["packets"], expected.packets);
  EXPECT_EQ(run.summary["bytes"], expected.bytes);
  EXPECT_EQ(run.summary["coverage"], 1.0);
}

INSTANTIATE_TEST_SUITE_P(Everything, By,
                         testing::Values("flow", "process", "container", "src", "dst", "dst-port", "protocol"));

TEST(Flows, AProcessFilterLeavesOutWhatOthersDoAndSaysHowMuch) {
  const Pair pair;
  const auto run = run_flows(pair.left, {"-i", "veth0", "-o", "json", "--process", "ping"}, [&] {
    pair.left.run("ping -c 4 -i 0.05 10.9.0.2");
    exchange_tcp(pair.left, pair.right, "10.9.0.2", 0, 8080, "question", "answer");
  });
  ASSERT_EQ(run.objects.size(), 1U) << run.output;
  EXPECT_EQ(run.objects[0]["protocol"], "icmp");
  EXPECT_EQ(run.objects[0]["opener"]["owner"]["name"], "ping");
  EXPECT_EQ(run.summary["packets"], 8);
  EXPECT_GE(run.stage("filter")[2], 1U);
  EXPECT_TRUE(run.balanced()) << run.errors;
}

TEST(Flows, TheTableOfAPipeIsPlainText) {
  const Pair pair;
  const auto run = run_flows(pair.left, {"-i", "veth0", "--interval", "300ms", "udp port 53"}, [&] {
    send_udp(pair.left, "10.9.0.2", 40'000, 53, "hello");
    ::usleep(1'000'000);
  });
  EXPECT_EQ(run.status, 0) << run.errors;
  EXPECT_EQ(run.output.find('\033'), std::string::npos);
  EXPECT_NE(run.output.find("10.9.0.1:40000  10.9.0.2:53"), std::string::npos) << run.output;
  EXPECT_NE(run.output.find("coverage 100.00 %, 0 lost"), std::string::npos) << run.output;
}

// Under a pseudo-terminal of script(1): the screen is entered, and left at every end but SIGKILL.
TEST(Flows, TheTerminalIsRestored) {
  const Pair pair;
  for (const std::string signals : {"-INT", "-TERM", "-INT -INT"}) {
    const TemporaryFile file(".typescript");
    const auto inner = std::string(SONDE_PROGRAM) + " flows -i veth0 & p=$!; until grep -q packet/s " + file.path() +
                       "; do sleep 0.1; done; for s in " + signals + "; do kill $s $p; done; wait $p";
    Process script(pair.left, {"script", "-qfec", inner, file.path()});
    (void)script.wait();
    const auto text = read_file(file.path());
    const auto enter = text.find("\033[?1049h");
    const auto leave = text.rfind("\033[?25h\033[?1049l");
    EXPECT_NE(enter, std::string::npos) << text;
    EXPECT_NE(leave, std::string::npos) << signals;
    EXPECT_GT(leave, enter);
    EXPECT_NE(text.find("packet/s"), std::string::npos);
  }
}

}  // namespace
}  // namespace sonde::test
