// SPDX-License-Identifier: Apache-2.0
// What becomes of real packets, on every rung of the ladder.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <thread>

#include "guarded.hpp"

namespace sonde::test {
namespace {

using testing::HasSubstr;

struct Rung {
  const char* mode;
  const char* receive;
  const char* send;
};

class guard_verdicts : public testing::TestWithParam<Rung> {
 protected:
  GuardedPair guarded{GetParam().mode};
};

INSTANTIATE_TEST_SUITE_P(rungs, guard_verdicts,
                         testing::Values(Rung{"native", "native XDP", "tcx"}, Rung{"generic", "generic XDP", "tcx"},
                                         Rung{"tc", "tcx", "tcx"}, Rung{"clsact", "clsact", "clsact"}),
                         [](const auto& rung) { return std::string(rung.param.mode); });

// Linux 6.6.
bool has_tcx() {
  std::ifstream symbols("/proc/kallsyms");
  const std::string text{std::istreambuf_iterator<char>(symbols), {}};
  return text.contains(" tcx_link_attach\n") || text.contains(" tcx_prog_attach\n");
}

TEST_P(guard_verdicts, the_rung_is_the_one_asked_for) {
  const auto stats = guarded.stats();
  ASSERT_EQ(stats["interfaces"].size(), 1U);
  EXPECT_EQ(stats["interfaces"][0]["name"], "veth1");
  EXPECT_EQ(stats["interfaces"][0]["receive"], GetParam().receive);
  const std::string send = stats["interfaces"][0]["send"];
  EXPECT_TRUE(send == GetParam().send || (!has_tcx() && send == "clsact")) << send;
}

TEST_P(guard_verdicts, block_allow_and_never_of_both_families) {
  EXPECT_TRUE(guarded.pings());
  EXPECT_TRUE(guarded.pings(true));
  guarded.run("block 10.9.0.0/24 fd09::/64");
  EXPECT_FALSE(guarded.pings());
  EXPECT_FALSE(guarded.pings(true));
  EXPECT_GE(guarded.hits(1), 1U);
  EXPECT_GE(guarded.hits(2), 1U);
  guarded.run("allow 10.9.0.1 --protocol icmp");
  EXPECT_TRUE(guarded.pings());
  EXPECT_FALSE(guarded.arrives(1000));
  guarded.run("never fd09::1");
  EXPECT_TRUE(guarded.pings(true));
  EXPECT_TRUE(guarded.arrives(1000, true));
  guarded.run("clear");
  EXPECT_TRUE(guarded.arrives(1000));
  EXPECT_TRUE(guarded.stats()["balanced"]);
}

TEST_P(guard_verdicts, ports_protocols_and_directions_are_the_scope) {
  guarded.run("block any --protocol udp --dst-port 1000-1010");
  EXPECT_FALSE(guarded.arrives(1000));
  EXPECT_FALSE(guarded.arrives(1010, true));
  EXPECT_TRUE(guarded.arrives(1011));
  guarded.run("block any --src-port 53");
  EXPECT_FALSE(guarded.arrives(2000, false, 53));
  EXPECT_TRUE(guarded.arrives(2000, false, 54));
  EXPECT_TRUE(guarded.leaves(3000));
  guarded.run("block 10.9.0.1 --dst-port 3000 --direction out");
  EXPECT_FALSE(guarded.leaves(3000));
  EXPECT_TRUE(guarded.arrives(3000));
  EXPECT_TRUE(guarded.stats()["balanced"]);
}

TEST_P(guard_verdicts, a_limit_lets_the_rate_pass_and_drops_the_rest) {
  guarded.count_received({"10.9.0.1", "10.9.0.7"});
  guarded.run("limit 10.9.0.1 --protocol udp --rate 1pps --burst 20");
  send_frame(guarded.pair.left, "veth0", udp_frame({10, 9, 0, 1}, 1000), 200);
  send_frame(guarded.pair.left, "veth0", udp_frame({10, 9, 0, 7}, 1000), 50);
  const auto rules = guarded.stats()["rules"];
  ASSERT_EQ(rules.size(), 1U);
  const std::uint64_t passed = rules[0]["passed_packets"];
  EXPECT_NEAR(static_cast<double>(passed), 21, 2);
  EXPECT_EQ(passed + rules[0]["packets"].get<std::uint64_t>(), 200U);
  EXPECT_EQ(guarded.received("10.9.0.1"), passed);
  EXPECT_EQ(guarded.received("10.9.0.7"), 50U);
  EXPECT_TRUE(guarded.stats()["balanced"]);
}

TEST_P(guard_verdicts, default_drop_spares_replies_discovery_and_what_is_allowed) {
  guarded.run("default drop");
  EXPECT_FALSE(guarded.arrives(1000));
  EXPECT_FALSE(guarded.arrives(1000, true));
  EXPECT_FALSE(guarded.pings());
  // A connection that right opens: its replies come in.
  exchange_tcp(guarded.pair.right, guarded.pair.left, "10.9.0.1", 45'000, 8080, "GET", "reply");
  guarded.run("allow any --protocol icmp6");
  EXPECT_TRUE(guarded.pings(true));
  guarded.run("default pass");
  EXPECT_TRUE(guarded.arrives(1000));
  EXPECT_TRUE(guarded.stats()["balanced"]);
}

TEST_P(guard_verdicts, a_scoped_default_drop_leaves_the_rest_alone) {
  guarded.run("default drop --protocol udp --dst-port 8443");
  EXPECT_FALSE(guarded.arrives(8443));
  EXPECT_TRUE(guarded.arrives(8444));
  guarded.run("default drop --protocol udp --dst-port 9000 -i lo");
  EXPECT_TRUE(guarded.arrives(9000));
  guarded.run("default drop --protocol udp --dst-port 9001 -i veth1");
  EXPECT_FALSE(guarded.arrives(9001));
  guarded.run("default pass --protocol udp --dst-port 8443");
  EXPECT_TRUE(guarded.arrives(8443));
  EXPECT_FALSE(guarded.arrives(9001));
}

TEST_P(guard_verdicts, a_rule_expires_in_the_kernel_and_leaves_the_list) {
  guarded.run("block 10.9.0.1 --ttl 1500ms");
  guarded.run("block 10.9.0.99");
  EXPECT_FALSE(guarded.arrives(1000));
  EXPECT_EQ(guarded.rules().size(), 2U);
  std::this_thread::sleep_for(std::chrono::milliseconds{1700});
  EXPECT_TRUE(guarded.arrives(1000));
  EXPECT_EQ(guarded.rules(), std::vector<std::string>{"2 block 10.9.0.99"});
  EXPECT_TRUE(guarded.stats()["balanced"]);
  EXPECT_THAT(guarded.run("apply /dev/null").output, HasSubstr("1 expired"));
  EXPECT_TRUE(guarded.stats()["balanced"]);
}

TEST_P(guard_verdicts, a_dry_run_rule_counts_and_decides_nothing) {
  guarded.run("block 10.9.0.1 --protocol udp --dry-run");
  EXPECT_TRUE(guarded.arrives(1000));
  EXPECT_EQ(guarded.hits(1), 1U);
  EXPECT_EQ(guarded.outcome("dropped-block"), 0U);
  EXPECT_TRUE(guarded.stats()["balanced"]);
}

}  // namespace
}  // namespace sonde::test
