// SPDX-License-Identifier: Apache-2.0
// examples/monitor.cpp as a program.
#include <gtest/gtest.h>

#include <unistd.h>

#include <csignal>

#include "harness/process.hpp"
#include "harness/traffic.hpp"

namespace sonde::test {
namespace {

// The example prints nothing before its first round of five seconds: its links (or clsact filters, before Linux 6.6) in
// the kernel tell that it is ready.
bool wait_until_attached(const NetworkNamespace& where, const Process& example) {
  for (int i = 0; i < 500; ++i) {
    const auto links =
        run("find /proc/" + std::to_string(example.pid()) + "/fd -lname '*bpf_link*' 2>/dev/null | wc -l");
    if (std::stoi(links) >= 2 || !where.run("tc filter show dev veth0 egress").empty()) return true;
    ::usleep(20'000);
  }
  return false;
}

TEST(Example, PrintsWhatTheInterfaceReceivesAndSends) {
  const Pair pair;
  Process example(pair.left, {"env", "NETWORK_INTERFACE=veth0", MONITOR_EXAMPLE});
  ASSERT_TRUE(wait_until_attached(pair.left, example));
  send_frame(pair.right, "veth1", ethernet({.broadcast = true}, ipv4({.protocol = 17}, udp({}, counting(58)))), 40);
  send_frame(pair.left, "veth0", ethernet({.broadcast = true}, ipv4({.protocol = 17}, udp({}, counting(58)))), 20);
  example.signal(SIGTERM);
  EXPECT_EQ(example.wait(), 0) << example.errors();
  EXPECT_NE(example.output().find("RX 40 packets 4000 bytes   TX 20 packets 2000 bytes"), std::string::npos)
      << example.output();
  EXPECT_NE(example.output().find("UDP       RX 40 TX 20"), std::string::npos) << example.output();
  EXPECT_NE(example.output().find("0 packets lost on the way"), std::string::npos) << example.output();
}

TEST(Example, WithoutAnInterfaceIsAUsageError) {
  const NetworkNamespace where;
  Process none(where, {"env", "-u", "NETWORK_INTERFACE", MONITOR_EXAMPLE});
  EXPECT_EQ(none.wait(), 2);
  EXPECT_NE(none.errors().find("NETWORK_INTERFACE"), std::string::npos);
  Process wrong(where, {"env", "NETWORK_INTERFACE=nosuch0", MONITOR_EXAMPLE});
  EXPECT_EQ(wrong.wait(), 2);
  EXPECT_NE(wrong.errors().find("nosuch0"), std::string::npos);
}

}  // namespace
}  // namespace sonde::test
