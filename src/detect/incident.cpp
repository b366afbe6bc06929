// SPDX-License-Identifier: Apache-2.0
#include "detect/incident.hpp"

#include <fmt/core.h>

#include <algorithm>

namespace sonde::detect {

void Incident::start(const Context& context, std::int64_t wall_ns, const Report& report, const Describe& describe) {
  event.id = ++context.last_id;
  update_ns_ = to_ns(context.config.get("event.update"));
  send(SecurityState::started, wall_ns, report, describe);
}

void Incident::update(std::int64_t wall_ns, const Report& report, const Describe& describe) {
  if (started() && news_ && wall_ns - reported_ns_ >= update_ns_)
    send(SecurityState::updated, wall_ns, report, describe);
}

void Incident::end(std::int64_t wall_ns, const Report& report, const Describe& describe) {
  if (started()) send(SecurityState::ended, wall_ns, report, describe);
}

void Incident::notice(std::int64_t wall_ns) {
  if (event.first_wall_ns == 0 || wall_ns < event.first_wall_ns) event.first_wall_ns = wall_ns;
  event.last_wall_ns = std::max(event.last_wall_ns, wall_ns);
  news_ = true;
}

void Incident::send(SecurityState state, std::int64_t wall_ns, const Report& report, const Describe& describe) {
  event.state = state;
  event.wall_ns = wall_ns;
  describe(event);
  std::ranges::stable_sort(event.flows, {}, &SecurityFlow::wall_ns);
  report(event);
  reported_ns_ = wall_ns;
  news_ = false;
}

std::string duration_text(std::int64_t ns) {
  const auto seconds = static_cast<double>(ns) / 1e9;
  if (seconds < 100) return fmt::format("{:.1f} s", seconds);
  if (seconds < 6000) return fmt::format("{:.0f} min", seconds / 60);
  return fmt::format("{:.1f} h", seconds / 3600);
}

SecurityFlow sample_of(const FlowSight& flow) {
  return {.wall_ns = flow.wall_ns,
          .protocol = flow.protocol,
          .source = flow.endpoints[0],
          .destination = flow.endpoints[1],
          .packets = flow.total[0].packets + flow.total[1].packets,
          .bytes = flow.total[0].bytes + flow.total[1].bytes};
}

void add_sample(std::vector<SecurityFlow>& samples, const SecurityFlow& flow) {
  const auto same = std::ranges::find_if(samples, [&](const SecurityFlow& sample) {
    return sample.protocol == flow.protocol && sample.source == flow.source && sample.destination == flow.destination;
  });
  if (same != samples.end())
    *same = flow;
  else if (samples.size() < most_samples)
    samples.push_back(flow);
}

}  // namespace sonde::detect
