// SPDX-License-Identifier: Apache-2.0
#include "event_text.hpp"

#include <fmt/core.h>
#include <fmt/ranges.h>

namespace sonde::detect {

std::string text_of(const SecurityEvent& event) {
  auto text = fmt::format(
      "{} {} {} {} {} {} {} {} {} {} {} {} {} {} {} {} {}", event.id, security_kind_name(event.kind),
      severity_name(event.severity), security_state_name(event.state), event.wall_ns, event.first_wall_ns,
      event.last_wall_ns, event.method, event.outbound, fmt::join(event.who, ","), event.sources,
      fmt::join(event.whom, ","), event.targets, event.interface, event.summary, event.response, event.block);
  for (const auto& [name, value] : event.evidence) text += " " + name + "=" + value;
  for (const auto& flow : event.flows)
    text += fmt::format(" [{} {} {} {} {} {}]", flow.wall_ns, flow.protocol, flow.source.text(),
                        flow.destination.text(), flow.packets, flow.bytes);
  return text + "\n";
}

std::string text_of(const std::vector<SecurityEvent>& events) {
  std::string text;
  for (const auto& event : events) text += text_of(event);
  return text;
}

}  // namespace sonde::detect
