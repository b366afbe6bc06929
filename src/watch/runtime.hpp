// SPDX-License-Identifier: Apache-2.0
// From flows to security events: collects, shows to the detectors, lets their windows close.
#pragma once
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "watch/sights.hpp"

namespace sonde::watch {

struct RuntimeOptions {
  std::chrono::nanoseconds interval{std::chrono::milliseconds(500)};  ///< between two collections
  bool replay = false;  ///< the source is a file's: collections follow one another at once, by packet time
  SecurityConfig config;
  LocalAddresses local;
  std::optional<enrich::CountryFile> countries;
};

/// One thread uses it.
class Runtime {
 public:
  /// `report` is called in step(). States of one event come in order.
  Runtime(std::unique_ptr<pipeline::FlowSource> source, RuntimeOptions options, detect::Report report);

  /// Reads for up to 20 ms, or makes a collection when one is due.
  Result<void> step();
  /// Ends the intake; step() goes on until finished().
  Result<void> stop();
  /// The last collection has been shown, and what went on has ended.
  [[nodiscard]] bool finished() const { return finished_; }

  /// The stages of the source, then "detect": packets of the flows that the detectors were shown.
  [[nodiscard]] std::vector<LossStage> loss() const;
  [[nodiscard]] std::vector<std::string> notices() const;
  [[nodiscard]] std::uint64_t flows() const { return sights_.flows(); }
  /// From the first packet of a flow to the last one, by their time.
  [[nodiscard]] std::chrono::nanoseconds packet_time() const { return sights_.packet_time(); }
  /// Wall clock of the source.
  [[nodiscard]] std::int64_t now_wall_ns() const { return source_->now_wall_ns(); }

 private:
  using Clock = std::chrono::steady_clock;

  Result<void> collect();

  std::unique_ptr<pipeline::FlowSource> source_;
  RuntimeOptions options_;
  detect::Report report_;
  detect::Detectors detectors_;
  Sights sights_;
  Clock::time_point next_;
  std::int64_t advanced_ns_ = 0;
  bool stopping_ = false;
  bool finished_ = false;
};

}  // namespace sonde::watch
