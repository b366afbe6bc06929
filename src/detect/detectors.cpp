// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <limits>

#include "detect/arp/arp.hpp"
#include "detect/detector.hpp"
#include "detect/dns/dns.hpp"
#include "detect/flood/flood.hpp"
#include "detect/incident.hpp"
#include "detect/process/process.hpp"
#include "detect/scan/scan.hpp"

namespace sonde::detect {

namespace {

struct Entry {
  const char* enabled;  ///< the option that switches it off
  std::unique_ptr<Detector> (*make)(const Context& context);
};

/// One line adds a detector.
constexpr Entry entries[] = {
    {"scan.enabled", make_scan_detector},
    {"flood.enabled", make_flood_detector},
    {"destination.enabled", make_destination_detector},
    {"beacon.enabled", make_beacon_detector},
    {"idle.enabled", make_idle_detector},
    {"failures.enabled", make_failure_detector},
    {"arp.enabled", make_arp_detector},
    {"dns.enabled", make_dns_detector},
};

/// Differences of times must not overflow, whatever a file says.
std::int64_t sane(std::int64_t wall_ns) {
  return std::clamp<std::int64_t>(wall_ns, 0, std::numeric_limits<std::int64_t>::max() / 4);
}

}  // namespace

Detectors::Detectors(const SecurityConfig& config) : config_(config) {
  const Context context{config_, last_id_, scanners_};
  for (const auto& entry : entries)
    if (config_.get(entry.enabled) != 0) detectors_.push_back(entry.make(context));
}

Detectors::~Detectors() = default;

void Detectors::observe(const FlowSight& flow, const Report& report) {
  if (sane(flow.wall_ns) != flow.wall_ns || sane(flow.first_wall_ns) != flow.first_wall_ns) {
    auto copy = flow;
    copy.wall_ns = sane(flow.wall_ns);
    copy.first_wall_ns = sane(flow.first_wall_ns);
    return observe(copy, report);
  }
  for (auto& detector : detectors_) detector->observe(flow, report);
}

void Detectors::observe(const ArpSight& arp, const Report& report) {
  auto copy = arp;
  copy.wall_ns = sane(arp.wall_ns);
  for (auto& detector : detectors_) detector->observe(copy, report);
}

void Detectors::observe(const DnsSight& dns, const Report& report) {
  auto copy = dns;
  copy.wall_ns = sane(dns.wall_ns);
  for (auto& detector : detectors_) detector->observe(copy, report);
}

void Detectors::advance(std::int64_t wall_ns, const Report& report) {
  now_ns_ = std::max(now_ns_, sane(wall_ns));
  for (auto& detector : detectors_) detector->advance(now_ns_, report);
}

void Detectors::finish(std::int64_t wall_ns, const Report& report) {
  now_ns_ = std::max(now_ns_, sane(wall_ns));
  for (auto& detector : detectors_) detector->finish(now_ns_, report);
}

}  // namespace sonde::detect
