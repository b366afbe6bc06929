// SPDX-License-Identifier: Apache-2.0
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "stats/render.hpp"

namespace sonde::cli {
namespace {

using Json = nlohmann::ordered_json;

// As in docs/json.md.
constexpr const char* protocol_words[] = {"tcp", "udp", "icmp", "icmp6", "sctp", "other_ip", "arp", "other"};
static_assert(std::size(protocol_words) == protocol_class_count);

Json count_json(const PacketCount& count) { return {{"packets", count.packets}, {"bytes", count.bytes}}; }

Json counts_json(const DirectionStats& direction) {
  Json object = {{"wire", count_json(direction.wire)},
                 {"frames", count_json({direction.frames, direction.frame_bytes})},
                 {"device", count_json(direction.device)},
                 {"device_dropped", direction.device_dropped},
                 {"device_missed", direction.device_missed}};
  if (const auto coverage = direction.coverage()) {
    object["device_unit"] = direction.device_counts_frames() ? "frames" : "wire";
    object["coverage"] = *coverage;
  }
  Json& sizes = object["sizes"] = Json::object();
  for (std::size_t i = 0; i < packet_size_classes; ++i) sizes[packet_size_class_name(i)] = direction.sizes[i];
  Json& protocols = object["protocols"] = Json::object();
  for (std::size_t i = 0; i < protocol_class_count; ++i)
    protocols[protocol_words[i]] = count_json(direction.protocols[i]);
  return object;
}

std::string time_text(std::int64_t wall_ns) {
  const auto seconds = static_cast<std::time_t>(wall_ns / 1'000'000'000);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:09}Z", fmt::gmtime(seconds), wall_ns % 1'000'000'000);
}

Json directions_json(const InterfaceStats& interface) {
  Json object = Json::object();
  object["in"] = counts_json(interface.directions[SONDE_DIRECTION_IN]);
  const auto& out = interface.directions[SONDE_DIRECTION_OUT];
  if (out.measured) object["out"] = counts_json(out);  // of lo it is what comes in
  return object;
}

double seconds_of(std::chrono::nanoseconds time) { return std::chrono::duration<double>(time).count(); }

}  // namespace

std::string stats_json(const TrafficStats& total, const TrafficStats& interval) {
  std::string text;
  for (std::size_t i = 0; i < total.interfaces.size(); ++i) {
    const auto& interface = total.interfaces[i];
    Json object = {{"type", "interface_stats"},
                   {"time", time_text(total.wall_ns)},
                   {"interface", interface.name},
                   {"ifindex", interface.ifindex},
                   {"seconds", seconds_of(interval.duration)},
                   {"total_seconds", seconds_of(total.duration)}};
    if (interface.gone) object["gone"] = true;
    object["interval"] = directions_json(interval.interfaces[i]);
    object["total"] = directions_json(interface);
    text += object.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  }
  return text;
}

}  // namespace sonde::cli
