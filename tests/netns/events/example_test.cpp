// SPDX-License-Identifier: Apache-2.0
// examples/retransmissions.cpp as a program.
#include <gtest/gtest.h>

#include <csignal>

#include "harness/process.hpp"
#include "harness/traffic.hpp"

namespace sonde::test {
namespace {

TEST(RetransmissionsExample, PrintsWhoseSynWasNotAnswered) {
  const Pair pair;
  pair.right.run(
      "nft 'table inet t { chain c { type filter hook prerouting priority -400; tcp dport 40007 drop; }; }'");
  Process example(pair.left, {RETRANSMISSIONS_EXAMPLE});
  ASSERT_TRUE(example.wait_for_error_text("owners by ")) << example.errors();
  Process client(pair.left, {"nc", "-w", "10", "10.9.0.2", "40007"});
  EXPECT_TRUE(example.wait_for_output_text(" to 10.9.0.2:40007, lost here: NETFILTER_DROP veth1\n"))
      << example.output() << example.errors();
  EXPECT_NE(example.output().find("SYN nc[" + std::to_string(client.pid()) + "] to 10.9.0.2:40007"), std::string::npos)
      << example.output();
  example.signal(SIGTERM);
  EXPECT_EQ(example.wait(), 0) << example.errors();
  EXPECT_NE(example.output().find("0 lost on the way\n"), std::string::npos) << example.output();
}

}  // namespace
}  // namespace sonde::test
