// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <set>
#include <string>

#include "detect/detector.hpp"

namespace sonde::detect {

/// What all detectors are made with.
struct Context {
  const SecurityConfig& config;
  std::uint64_t& last_id;                            ///< of the event that started last, of any detector
  std::set<std::array<std::uint8_t, 16>>& scanners;  ///< sources of the scans that go on
};

/// One attack that goes on, as events: started, updated when there is news but not too often, ended.
class Incident {
 public:
  /// Writes what is known by now into the event, just before it is reported.
  using Describe = std::function<void(SecurityEvent&)>;

  SecurityEvent event;

  [[nodiscard]] bool started() const { return event.id != 0; }
  void start(const Context& context, std::int64_t wall_ns, const Report& report, const Describe& describe);
  /// Reports if something was noticed and the last report is long enough ago.
  void update(std::int64_t wall_ns, const Report& report, const Describe& describe);
  void end(std::int64_t wall_ns, const Report& report, const Describe& describe);

  /// There is news, from a packet of this time.
  void notice(std::int64_t wall_ns);
  /// Nothing was noticed for so long.
  [[nodiscard]] bool quiet(std::int64_t wall_ns, std::int64_t time_ns) const {
    return wall_ns - event.last_wall_ns > time_ns;
  }

 private:
  void send(SecurityState state, std::int64_t wall_ns, const Report& report, const Describe& describe);
  std::int64_t update_ns_ = 0;
  std::int64_t reported_ns_ = 0;
  bool news_ = false;
};

inline constexpr std::int64_t second_ns = 1'000'000'000;

[[nodiscard]] inline std::int64_t to_ns(double seconds) { return static_cast<std::int64_t>(seconds * 1e9); }

/// "3.1 s", "12 min"
[[nodiscard]] std::string duration_text(std::int64_t ns);
/// A flow as evidence.
[[nodiscard]] SecurityFlow sample_of(const FlowSight& flow);
inline constexpr std::size_t most_samples = 5;
/// The first five flows of an event are its samples; one that is among them gets its new counts.
void add_sample(std::vector<SecurityFlow>& samples, const SecurityFlow& flow);
inline constexpr std::size_t most_addresses = 10;

}  // namespace sonde::detect
