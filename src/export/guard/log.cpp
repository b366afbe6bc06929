// SPDX-License-Identifier: Apache-2.0
#include "export/guard/log.hpp"

#include <array>

#include "export/clock.hpp"
#include "export/interfaces.hpp"
#include "export/json/escape.hpp"
#include "export/json/packet.hpp"
#include "export/text/line.hpp"

namespace sonde::exporter {
namespace {

// "HH:MM:SS.nnnnnnnnn", with which every line of LineFormatter begins.
constexpr std::size_t time_size = 18;

}  // namespace

std::string guard_log_line(const GuardLogEntry& entry, const InterfaceTable& interfaces) {
  std::array<char, LineFormatter::max_size> text;
  LineFormatter formatter(TextOptions{});
  std::string line(text.data(), formatter.append(text.data(), entry.packet, interfaces));
  std::string verdict = entry.dry_run ? std::string(" dry-run ") + entry.outcome : std::string(" ") + entry.outcome;
  if (entry.rule != 0) verdict += " rule " + std::to_string(entry.rule);
  return line.insert(time_size, verdict);
}

std::string guard_log_json(const GuardLogEntry& entry, const InterfaceTable& interfaces) {
  thread_local TimeText time("%Y-%m-%dT%H:%M:%S", TimeText::Zone::utc);
  const auto& event = *entry.packet.event;
  std::string text = R"({"type":"guard",)";
  append_json_member(text, "time", time.text(entry.packet.wall_ns) + "Z");
  append_json_member(text, "outcome", entry.outcome);
  if (entry.rule != 0) text += "\"rule\":" + std::to_string(entry.rule) + ",";
  text += entry.dry_run ? R"("dry_run":true,)" : R"("dry_run":false,)";
  append_json_member(text, "interface", interface_name(interfaces, event.header.ifindex));
  append_json_member(text, "direction", event.direction == SONDE_DIRECTION_OUT ? "out" : "in");
  std::array<char, max_packet_fields_size> fields;
  text.append(fields.data(), append_packet_fields(fields.data(), event));
  return text + "}";
}

}  // namespace sonde::exporter
