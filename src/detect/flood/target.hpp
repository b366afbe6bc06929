// SPDX-License-Identifier: Apache-2.0
// One target and one kind of flood.
#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "detect/address.hpp"
#include "detect/distinct.hpp"
#include "detect/flood/baseline.hpp"
#include "detect/flood/suspicion.hpp"
#include "detect/incident.hpp"
#include "detect/top.hpp"

namespace sonde::detect {

/// Thresholds of floods: security_options(), "flood.*".
struct FloodLimits {
  explicit FloodLimits(const SecurityConfig& config);

  [[nodiscard]] double least_rate(FloodKind kind) const;
  double syn_rate, udp_rate, icmp_rate, reflection_rate, silent_factor, factor, deviations;
  std::size_t few, servers;
  int seconds;
  std::int64_t quiet_ns;
};

/// Who sends, and to and from which ports: at most 36 kB.
struct FloodSources {
  Distinct addresses;
  Top<Address> most{32};
  Top<std::uint16_t> source_ports{8};
  Top<std::uint16_t> destination_ports{8};
  std::vector<SecurityFlow> samples;
  bool outbound = false;
  std::string interface;
  std::unique_ptr<SocketOwner> owner;

  void note(const FlowSight& flow, const Suspicion& suspicion);
};

class FloodTarget {
 public:
  FloodTarget() = default;
  void note(const FlowSight& flow, const Suspicion& suspicion);
  /// A second (or what took the place of one) is over. False: nothing goes on here, and nothing is usual.
  bool close(const Address& target, FloodKind kind, const FloodLimits& limits, const Context& context,
             std::int64_t wall_ns, double seconds, const Report& report);
  void finish(const Address& target, FloodKind kind, const FloodLimits& limits, std::int64_t wall_ns,
              const Report& report);
  [[nodiscard]] bool goes_on() const { return incident_ != nullptr; }

 private:
  [[nodiscard]] double threshold(FloodKind kind, const FloodLimits& limits) const;
  void describe(const Address& target, FloodKind kind, const FloodLimits& limits, SecurityEvent& event) const;

  double packets_ = 0, silent_ = 0, excused_ = 0;  ///< of this second
  std::uint64_t bytes_ = 0;
  Baseline baseline_;
  int seconds_over_ = 0;
  std::int64_t over_since_ns_ = 0;
  double highest_rate_ = 0, rate_ = 0;
  double all_packets_ = 0;
  std::uint64_t all_bytes_ = 0;
  std::unique_ptr<FloodSources> sources_;
  std::unique_ptr<Incident> incident_;
};

}  // namespace sonde::detect
