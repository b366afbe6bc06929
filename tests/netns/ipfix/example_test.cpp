// SPDX-License-Identifier: Apache-2.0
// examples/flows.cpp as a program, and flow_stats() of NetworkMonitor.
#include <gtest/gtest.h>

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <optional>
#include <stdexcept>

#include "harness/process.hpp"
#include "harness/traffic.hpp"
#include "sonde/monitor.hpp"

namespace sonde::test {
namespace {

TEST(FlowsExample, PrintsAFlowWithItsOwner) {
  const Pair pair;
  Process example(pair.left, {FLOWS_EXAMPLE, "veth0"});
  ASSERT_TRUE(example.wait_for_error_text("veth0: in by")) << example.errors();
  pair.left.run("ping -c 2 -i 0.05 10.9.0.2");
  example.signal(SIGTERM);
  EXPECT_EQ(example.wait(), 0) << example.errors();
  EXPECT_NE(example.output().find("ICMP 10.9.0.1:0 > 10.9.0.2:0, 196 and 196 bytes, shutdown, ping > -"),
            std::string::npos)
      << example.output();
  EXPECT_NE(example.output().find("1 flows, 0 packets lost on the way\n"), std::string::npos) << example.output();
}

TEST(MonitorFlows, GivesFlowsThatGoOnAndOnceThoseThatEnded) {
  const Pair pair;
  std::optional<NetworkMonitor> monitor;
  pair.left.call([&] {
    auto made = NetworkMonitor::make({.filter = {}, .flows = true});
    if (!made) throw std::runtime_error(made.error().text());
    monitor.emplace(std::move(*made));
    if (auto done = monitor->attach("veth0"); !done) throw std::runtime_error(done.error().text());
  });
  const auto frame = ethernet({.broadcast = true}, ipv4({.protocol = 17}, udp({}, counting(58))));
  send_frame(pair.left, "veth0", frame, 40);
  const auto is_ours = [](const Flow& flow) { return flow.protocol == 17 && flow.sides[1].endpoint.port == 53; };
  auto flows = monitor->flow_stats();
  ASSERT_TRUE(flows) << flows.error().text();
  auto found = std::ranges::find_if(*flows, is_ours);
  ASSERT_NE(found, flows->end());
  EXPECT_EQ(found->packets(), 40U);
  EXPECT_EQ(found->bytes(), 4000U);
  EXPECT_EQ(found->end, FlowEnd::none);
  send_frame(pair.left, "veth0", frame, 2);
  monitor->close();
  flows = monitor->flow_stats();
  ASSERT_TRUE(flows) << "also after close()";
  found = std::ranges::find_if(*flows, is_ours);
  ASSERT_NE(found, flows->end());
  EXPECT_EQ(found->packets(), 42U);
  EXPECT_EQ(found->end, FlowEnd::shutdown);
  flows = monitor->flow_stats();
  ASSERT_TRUE(flows);
  EXPECT_TRUE(flows->empty()) << "an ended flow is given once";
  EXPECT_EQ(monitor->flow_loss().lost(), 0U);
  EXPECT_TRUE(monitor->flow_loss().balanced());
}

TEST(MonitorFlows, AreAskedForWhenItIsMade) {
  const Pair pair;
  pair.left.call([&] {
    auto monitor = NetworkMonitor::make();
    ASSERT_TRUE(monitor);
    const auto flows = monitor->flow_stats();
    ASSERT_FALSE(flows);
    EXPECT_EQ(flows.error().kind, ErrorKind::usage);
    EXPECT_TRUE(monitor->flow_loss().stages.empty());
  });
}

}  // namespace
}  // namespace sonde::test
