// SPDX-License-Identifier: Apache-2.0
// Calls at regular intervals to one service of the internet. What is regular by design is left out: NTP, DNS, and
// addresses that are not of the internet (health checks, metrics, databases call every few seconds there).
#include <fmt/core.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "detect/address.hpp"
#include "detect/bounded.hpp"
#include "detect/incidents.hpp"
#include "detect/process/process.hpp"
#include "detect/process/program.hpp"

namespace sonde::detect {

namespace {

constexpr std::size_t most_series = 4096;
constexpr std::size_t most_intervals = 24;

struct Key {
  Address source{};
  Endpoint service;
  std::uint8_t protocol = 0;
  friend bool operator==(const Key&, const Key&) = default;
};

struct KeyHash {
  std::size_t operator()(const Key& key) const {
    return combine(combine(hash_of(key.source), hash_of(key.service)), key.protocol);
  }
};

struct Series {
  std::int64_t first_ns = 0;
  std::int64_t last_ns = 0;
  std::uint64_t calls = 0;
  std::vector<double> intervals;  ///< seconds, the last ones
};

struct Regularity {
  double mean = 0;
  double variation = 0;  ///< standard deviation as a share of the mean
};

/// The longest tenth is left out: a call that was missed doubles an interval.
Regularity regularity_of(std::vector<double> intervals) {
  std::ranges::sort(intervals);
  intervals.resize(intervals.size() - intervals.size() / 10);
  double sum = 0, squares = 0;
  for (const auto interval : intervals) sum += interval;
  const auto mean = sum / static_cast<double>(intervals.size());
  for (const auto interval : intervals) squares += (interval - mean) * (interval - mean);
  return {mean, std::sqrt(squares / static_cast<double>(intervals.size())) / mean};
}

bool is_regular_by_design(std::uint16_t port) {
  static constexpr std::array<std::uint16_t, 6> ports{53, 123, 853, 3478, 4500, 5353};
  return std::ranges::find(ports, port) != ports.end();
}

class BeaconDetector final : public Detector {
 public:
  explicit BeaconDetector(const Context& context)
      : calls_(static_cast<std::size_t>(context.config.get("beacon.calls"))),
        variation_(context.config.get("beacon.variation")),
        least_(context.config.get("beacon.least_interval")),
        most_(context.config.get("beacon.most_interval")),
        series_(most_series),
        incidents_(context, 600 * second_ns) {}

  void observe(const FlowSight& flow, const Report& /*report*/) override {
    const bool opened = flow.protocol == IPPROTO_TCP ? flow.start_seen : flow.protocol == IPPROTO_UDP;
    if (!flow.is_new || !opened || !goes_out(flow) || is_regular_by_design(flow.endpoints[1].port)) return;
    const Key key{flow.endpoints[0].address, flow.endpoints[1], flow.protocol};
    auto& series = series_.touch(key);
    if (series.calls++ == 0) series.first_ns = flow.first_wall_ns;
    if (!add(series, flow.first_wall_ns) || series.intervals.size() < calls_) return;
    const auto regularity = regularity_of(series.intervals);
    if (regularity.variation > variation_) return;
    const auto hash = KeyHash{}(key);
    incidents_.notice(hash, flow.wall_ns, series.first_ns,
                      [&](SecurityEvent& event) { describe(event, flow, series, regularity); });
    incidents_.set_quiet(hash, to_ns(4 * regularity.mean));
  }
  void advance(std::int64_t wall_ns, const Report& report) override { incidents_.advance(wall_ns, report); }
  void finish(std::int64_t wall_ns, const Report& report) override { incidents_.finish(wall_ns, report); }

 private:
  /// True: there is one more interval.
  bool add(Series& series, std::int64_t start_ns) const {
    const auto interval = static_cast<double>(start_ns - series.last_ns) / 1e9;
    if (series.last_ns != 0 && interval < 1) return false;  // several connections of one call
    const bool is_first = series.last_ns == 0;
    series.last_ns = start_ns;
    if (is_first) return false;
    if (interval < least_ || interval > most_) {
      series.intervals.clear();
      series.first_ns = start_ns;
      return false;
    }
    if (series.intervals.size() == most_intervals) series.intervals.erase(series.intervals.begin());
    series.intervals.push_back(interval);
    return true;
  }

  static void describe(SecurityEvent& event, const FlowSight& flow, const Series& series,
                       const Regularity& regularity) {
    event.kind = SecurityKind::beacon;
    event.severity = Severity::low;
    event.outbound = flow.local[0];
    event.who = {flow.endpoints[0].address_text()};
    event.whom = {flow.endpoints[1].text()};
    event.sources = event.targets = 1;
    if (flow.owner) event.owner = *flow.owner;
    event.interface = flow.interface;
    add_sample(event.flows, sample_of(flow));
    event.summary = fmt::format("{} calls {} every {:.1f} s", subject_of(event.owner, flow.endpoints[0]), event.whom[0],
                                regularity.mean);
    event.evidence = {{"interval_seconds", fmt::format("{:.1f}", regularity.mean)},
                      {"variation", fmt::format("{:.2f}", regularity.variation)},
                      {"calls", std::to_string(series.calls)}};
    event.response = fmt::format("sonde guard block {} --direction out --ttl 10m", flow.endpoints[1].address_text());
  }

  std::size_t calls_;
  double variation_, least_, most_;
  Bounded<Key, Series, KeyHash> series_;
  Incidents incidents_;
};

}  // namespace

std::unique_ptr<Detector> make_beacon_detector(const Context& context) {
  return std::make_unique<BeaconDetector>(context);
}

}  // namespace sonde::detect
