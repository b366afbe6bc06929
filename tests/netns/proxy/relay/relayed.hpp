// SPDX-License-Identifier: Apache-2.0
// Clients in one namespace, upstreams in another, a proxy between them in a third; the peers check every byte they get.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "actuators/proxy/forward/trial_proxy.hpp"
#include "harness/netns.hpp"

namespace sonde::proxy::test {

/// client 10.31.0.1 -- 10.31.0.2 proxy 10.32.0.2 -- 10.32.0.1 upstream
struct Line {
  sonde::test::NetworkNamespace client;
  sonde::test::NetworkNamespace proxy;
  sonde::test::NetworkNamespace upstream;
  Line();

  /// At each of the four ends one packet in `lose_every` is lost on its way in, and one in twenty takes a slower way.
  void disturb(int lose_every);
  /// Packets, so far.
  [[nodiscard]] std::uint64_t lost() const { return count("lost"); }
  [[nodiscard]] std::uint64_t late() const { return count("late"); }
  [[nodiscard]] bool disturbed() const { return disturbed_; }

 private:
  [[nodiscard]] std::uint64_t count(const std::string& counter) const;
  bool disturbed_ = false;
};

enum class PlanEnd : std::uint8_t { client_first, upstream_first, together, client_resets, upstream_resets };

/// What two peers do with their connection. Who resets does so when it has sent its bytes.
struct Plan {
  std::uint64_t seed = 0;
  std::uint64_t to_upstream = 1;  ///< bytes, at least one
  std::uint64_t to_client = 0;
  PlanEnd end = PlanEnd::together;
  bool pauses = false;
};
/// Of every kind, up to `most` bytes each way.
std::vector<Plan> random_plans(std::size_t count, std::uint64_t seed, std::uint64_t most);

struct PlanRun {
  std::vector<std::string> faults;  ///< what should not have been
  std::vector<RelayResult> results;
  std::uint64_t to_upstream = 0;  ///< bytes that upstreams got
  std::uint64_t to_client = 0;
};

/// `at_once` connections at a time through a TrialProxy of these options; listen and backend are filled in.
PlanRun run_plans(const Line& line, const std::vector<Plan>& plans, std::size_t at_once, TrialOptions options);

}  // namespace sonde::proxy::test
