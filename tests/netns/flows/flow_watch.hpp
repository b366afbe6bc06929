// SPDX-License-Identifier: Apache-2.0
// The flows sensor beside the traffic of a test.
#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "harness/netns.hpp"
#include "harness/packet_builder.hpp"
#include "sensors/flows/flows.hpp"
#include "sonde/filter.hpp"

namespace sonde::test {

/// A flow over all collections.
struct SeenFlow {
  Flow flow;                                    ///< as it was described last
  std::array<pipeline::FlowCount, 2> deltas{};  ///< their sum, the opener's first
  int samples = 0;
  int first = 0;  ///< how many of them were told to be the first
  int ends = 0;
};

struct SeenFlows {
  std::map<std::uint64_t, SeenFlow> by_id;
  std::vector<LossStage> loss;
  std::vector<std::string> notices;
  std::vector<Bytes> packets;  ///< ARP and DNS
  std::map<std::uint32_t, PacketTotals> totals;

  [[nodiscard]] const LossStage& stage(const std::string& name) const;
  /// Over all flows.
  [[nodiscard]] pipeline::FlowCount sum() const;
  /// With this port at the responder's end (0: any), in the order in which they were seen first.
  [[nodiscard]] std::vector<SeenFlow> to_port(std::uint16_t port) const;
  /// A line each, for messages of failed tests.
  [[nodiscard]] std::string text() const;
};

struct FlowWatchOptions {
  std::vector<std::string> interfaces = {"veth0"};
  FilterOptions filter;
  flows::KernelFlowOptions flows;  ///< but for interfaces and filter
  std::chrono::milliseconds interval{100};
  bool describe = true;  ///< false: deltas only, for many flows
};

/// Counts from the construction on, collected by a thread. Throws when the sensor does not start.
class FlowWatch {
 public:
  explicit FlowWatch(const NetworkNamespace& where, FlowWatchOptions options = {});
  FlowWatch(const FlowWatch&) = delete;
  FlowWatch& operator=(const FlowWatch&) = delete;
  ~FlowWatch();

  /// From here on nothing is read before stop().
  void hold() { hold_ = true; }
  /// Waits until so many flows have been shown, or have ended. False: not within the time.
  [[nodiscard]] bool wait_for_flows(std::uint64_t count, std::chrono::milliseconds time = patience) const {
    return wait_for(shown_, count, time);
  }
  [[nodiscard]] bool wait_for_ends(std::uint64_t count) const { return wait_for(ended_, count, patience); }
  /// Ends the intake, collects a last time.
  SeenFlows stop();

 private:
  class Visitor;
  void run();
  static constexpr std::chrono::milliseconds patience = std::chrono::minutes{1};
  static bool wait_for(const std::atomic<std::uint64_t>& counter, std::uint64_t count, std::chrono::milliseconds time);

  const NetworkNamespace& where_;
  FlowWatchOptions options_;
  std::unique_ptr<flows::KernelFlowSource> source_;
  SeenFlows seen_;
  std::atomic<bool> stop_ = false;
  std::atomic<bool> hold_ = false;
  std::atomic<std::uint64_t> shown_ = 0;
  std::atomic<std::uint64_t> ended_ = 0;
  std::thread thread_;
};

/// Until somebody listens on the TCP port; throws after 20 s.
void wait_for_listener(const NetworkNamespace& where, std::uint16_t port);
/// Likewise until a connection to the port is open.
void wait_for_connection(const NetworkNamespace& where, std::uint16_t port);

/// Each sum of the ledger holds, nothing was lost, and the flows sum up to what was given. Bytes are not in the ledger.
void expect_balanced(const SeenFlows& seen);

}  // namespace sonde::test
