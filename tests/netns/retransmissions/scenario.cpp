// SPDX-License-Identifier: Apache-2.0
#include "scenario.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>

#include "harness/owner_hook.hpp"

namespace sonde::test {

std::unique_ptr<Process> start_receiver(const NetworkNamespace& where, const std::string& address) {
  auto receiver = start_traffic(where, {"receive", address, "5001"});
  EXPECT_TRUE(receiver->wait_for_output_text("listening", patience)) << receiver->errors();
  return receiver;
}

std::string every(int n, const std::string& more_than) {
  return "meta l4proto tcp meta length > " + more_than + " numgen inc mod " + std::to_string(n) + " 0";
}

std::uint64_t unreported(const std::vector<Retransmission>& events) {
  std::uint64_t sum = 0;
  for (const auto& event : events) sum += event.unreported;
  return sum;
}

void expect_kind(const std::vector<Retransmission>& events, const std::vector<Kind>& kinds, std::uint64_t counted) {
  const auto told = segments(events, kinds);
  EXPECT_LE(told, counted) << lines(events);
  EXPECT_GE(told + unreported(events), counted) << lines(events);
}

void expect_kernel_counts(const std::vector<Retransmission>& events, const TcpCounters& kernel) {
  const auto counted = kernel.grown("RetransSegs");
  EXPECT_EQ(segments(events), counted) << lines(events);
  EXPECT_LE(unreported(events), counted / 20) << lines(events);
  expect_kind(events, {Kind::syn, Kind::syn_ack}, kernel.grown("TCPSynRetrans"));
  const auto failed = kernel.grown("TCPRetransFail");
  if (failed > 0) return;  // the kernel counts these kinds when sending has worked
  const auto fast = kernel.grown("TCPFastRetrans"), slow_start = kernel.grown("TCPSlowStartRetrans");
  expect_kind(events, {Kind::fast}, fast);
  expect_kind(events, {Kind::loss, Kind::path_mtu}, slow_start);
  EXPECT_GE(segments(events, {Kind::fast, Kind::loss, Kind::path_mtu}) + unreported(events), fast + slow_start);
  // A timer or probe may find that there is nothing to send again.
  EXPECT_LE(segments(events, {Kind::tlp}), kernel.grown("TCPLossProbes"));
  EXPECT_LE(segments(events, {Kind::rto}), kernel.grown("TCPTimeouts"));
}

void expect_senders(const std::vector<Retransmission>& events, const std::map<std::uint16_t, std::uint32_t>& senders) {
  for (const auto& event : events) {
    const auto sender = senders.find(event.socket.local.port);
    ASSERT_NE(sender, senders.end()) << lines({event});
    EXPECT_EQ(event.owner.owner.pid, sender->second) << lines({event});
    EXPECT_EQ(event.owner.owner.method, owner_hook_method()) << lines({event});
  }
}

std::vector<Retransmission> only(const std::vector<Retransmission>& events, Kind kind) {
  std::vector<Retransmission> chosen;
  std::ranges::copy_if(events, std::back_inserter(chosen), [&](const auto& event) { return event.kind == kind; });
  return chosen;
}

}  // namespace sonde::test
