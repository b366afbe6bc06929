// SPDX-License-Identifier: Apache-2.0
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <ctime>
#include <string_view>
#include <utility>

#include "stats/render.hpp"

namespace sonde::cli {
namespace {

constexpr const char* direction_names[] = {"in", "out"};
constexpr std::size_t size_width = 8;

std::string scaled(double value) {
  static constexpr const char* units[] = {"", "k", "M", "G", "T"};
  std::size_t unit = 0;
  for (; value >= 999.95 && unit + 1 < std::size(units); ++unit) value /= 1000;
  return unit == 0 ? fmt::format("{:.0f}", value) : fmt::format("{:.1f}{}", value, units[unit]);
}

// Never rounded up to 100.
std::string percent(double part) { return fmt::format("{:.2f} %", std::floor(part * 10'000 + 1e-9) / 100); }

std::string coverage_text(const DirectionStats& direction) {
  if (!direction.measured) return "as in";
  const auto coverage = direction.coverage();
  if (!coverage) return "-";
  return percent(*coverage) + (direction.device_counts_frames() ? " *" : "");
}

// Ours in the unit in which the interface counts.
PacketCount in_its_unit(const DirectionStats& direction) {
  return direction.device_counts_frames() ? PacketCount{direction.frames, direction.frame_bytes} : direction.wire;
}

// Wide enough for the bytes of both, else the rates must do.
constexpr std::uint32_t width_with_bytes = 110;

struct Sides {
  std::string interface, direction, packet_rate, bit_rate, packets, bytes, its_packets, its_bytes, coverage;

  [[nodiscard]] std::string line(bool bytes_too) const {
    const auto rates = fmt::format("{:<15} {:<3} {:>8} {:>8}", interface, direction, packet_rate, bit_rate);
    return bytes_too ? fmt::format("{} {:>13} {:>15} {:>13} {:>15}  {}", rates, packets, bytes, its_packets, its_bytes,
                                   coverage)
                     : fmt::format("{} {:>11} {:>11}  {}", rates, packets, its_packets, coverage);
  }
};

std::string sides_table(const TrafficStats& total, const TrafficStats& interval, bool bytes_too) {
  std::string text;
  const double seconds = std::chrono::duration<double>(interval.duration).count();
  for (std::size_t i = 0; i < total.interfaces.size(); ++i) {
    const auto& interface = total.interfaces[i];
    for (std::size_t d = 0; d < 2; ++d) {
      const auto& all = interface.directions[d];
      const auto& now = interval.interfaces[i].directions[d];
      const auto ours = in_its_unit(all);
      const auto if_measured = [&](std::string cell) { return all.measured ? std::move(cell) : "-"; };
      const Sides sides{d == 0 ? interface.name : "",
                        direction_names[d],
                        if_measured(scaled(static_cast<double>(now.wire.packets) / seconds)),
                        if_measured(scaled(static_cast<double>(now.wire.bytes) * 8 / seconds)),
                        if_measured(std::to_string(ours.packets)),
                        if_measured(std::to_string(ours.bytes)),
                        std::to_string(all.device.packets),
                        std::to_string(all.device.bytes),
                        coverage_text(all) + (interface.gone ? "  gone" : "")};
      text += sides.line(bytes_too) + "\n";
      if (all.device_dropped + all.device_missed > 0)
        text +=
            fmt::format("{:<19} {} dropped, {} missed by the interface\n", "", all.device_dropped, all.device_missed);
    }
  }
  return text;
}

bool counts_frames(const InterfaceStats& interface) {
  return std::ranges::any_of(interface.directions, &DirectionStats::device_counts_frames);
}

std::string share_text(std::uint64_t part, std::uint64_t whole, std::size_t width) {
  return fmt::format("{:>{}.1f}", 100 * static_cast<double>(part) / static_cast<double>(whole), width);
}

std::string sizes_row(const InterfaceStats& interface, std::size_t d) {
  const auto& direction = interface.directions[d];
  std::string text = fmt::format("{:<15} {:<3}", interface.name, direction_names[d]);
  for (const auto count : direction.sizes) text += share_text(count, direction.wire.packets, size_width);
  return text + "\n";
}

std::size_t protocol_width(std::size_t i) {
  return std::max<std::size_t>(7, std::string_view(protocol_class_name(static_cast<ProtocolClass>(i))).size() + 2);
}

std::string protocols_row(const InterfaceStats& interface, std::size_t d) {
  const auto& direction = interface.directions[d];
  std::string text = fmt::format("{:<15} {:<3}", interface.name, direction_names[d]);
  for (std::size_t i = 0; i < direction.protocols.size(); ++i)
    text += share_text(direction.protocols[i].packets, direction.wire.packets, protocol_width(i));
  return text + "\n";
}

// Nothing where nothing has come yet.
template <class Row>
std::string shares(const std::string& heading, const TrafficStats& total, Row row) {
  std::string text;
  for (const auto& interface : total.interfaces)
    for (std::size_t d = 0; d < 2; ++d)
      if (interface.directions[d].wire.packets > 0) text += row(interface, d);
  return text.empty() ? text : "\n" + heading + text;
}

std::string bold(const std::string& line, bool color) { return (color ? "\033[1m" + line + "\033[0m" : line) + "\n"; }

std::string sizes_heading() {
  std::string heading = fmt::format("{:<15} {:<3}", "size, %", "");
  for (std::size_t i = 0; i < packet_size_classes; ++i) {
    const bool up_to = i + 1 < packet_size_classes;
    heading += fmt::format("{:>{}}", (up_to ? "-" : "") + std::string(packet_size_class_name(i)), size_width);
  }
  return heading;
}

std::string protocols_heading() {
  std::string heading = fmt::format("{:<15} {:<3}", "protocol, %", "");
  for (std::size_t i = 0; i < protocol_class_count; ++i)
    heading += fmt::format("{:>{}}", protocol_class_name(static_cast<ProtocolClass>(i)), protocol_width(i));
  return heading;
}

}  // namespace

std::string stats_text(const TrafficStats& total, const TrafficStats& interval, const StatsStyle& style) {
  const auto seconds = static_cast<std::time_t>(total.wall_ns / 1'000'000'000);
  std::tm local{};
  ::localtime_r(&seconds, &local);
  const bool bytes_too = style.width == 0 || style.width >= width_with_bytes;
  const Sides heading{"interface", "", "packet/s", "bit/s", "packets", "bytes", "its packets", "its bytes", "coverage"};
  std::string text = bold(fmt::format("{:%H:%M:%S}  rates of {:.1f} s, counts since the start {:.1f} s ago", local,
                                      std::chrono::duration<double>(interval.duration).count(),
                                      std::chrono::duration<double>(total.duration).count()),
                          style.color);
  text += "\n" + bold(heading.line(bytes_too), style.color) + sides_table(total, interval, bytes_too);
  if (std::ranges::any_of(total.interfaces, counts_frames))
    text += "* packets that offload keeps together are counted as one, by it and by us\n";
  text += shares(bold(sizes_heading(), style.color), total, sizes_row);
  return text + shares(bold(protocols_heading(), style.color), total, protocols_row);
}

}  // namespace sonde::cli
