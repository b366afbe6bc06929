// SPDX-License-Identifier: Apache-2.0
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <cmath>
#include <ctime>

#include "stats/render.hpp"

namespace sonde::cli {
namespace {

constexpr const char* direction_names[] = {"in", "out"};

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

std::string sides_table(const TrafficStats& total, const TrafficStats& interval, bool& frames) {
  std::string text;
  const double seconds = std::chrono::duration<double>(interval.duration).count();
  for (std::size_t i = 0; i < total.interfaces.size(); ++i) {
    const auto& interface = total.interfaces[i];
    for (std::size_t d = 0; d < 2; ++d) {
      const auto& all = interface.directions[d];
      const auto& now = interval.interfaces[i].directions[d];
      const auto ours = in_its_unit(all);
      frames = frames || all.device_counts_frames();
      const bool measured = all.measured;
      text += fmt::format("{:<15} {:<3} {:>8} {:>8} {:>13} {:>15} {:>13} {:>15}  {}{}\n", d == 0 ? interface.name : "",
                          direction_names[d], measured ? scaled(static_cast<double>(now.wire.packets) / seconds) : "-",
                          measured ? scaled(static_cast<double>(now.wire.bytes) * 8 / seconds) : "-",
                          measured ? std::to_string(ours.packets) : "-", measured ? std::to_string(ours.bytes) : "-",
                          all.device.packets, all.device.bytes, coverage_text(all), interface.gone ? "  gone" : "");
      if (all.device_dropped + all.device_missed > 0)
        text +=
            fmt::format("{:<19} {} dropped, {} missed by the interface\n", "", all.device_dropped, all.device_missed);
    }
  }
  return text;
}

std::string sizes_row(const InterfaceStats& interface, std::size_t d) {
  const auto& direction = interface.directions[d];
  std::string text = fmt::format("{:<15} {:<3}", interface.name, direction_names[d]);
  for (const auto count : direction.sizes)
    text += fmt::format(" {:>7.1f}", 100 * static_cast<double>(count) / static_cast<double>(direction.wire.packets));
  return text + "\n";
}

std::string protocols_row(const InterfaceStats& interface, std::size_t d) {
  const auto& direction = interface.directions[d];
  std::string text = fmt::format("{:<15} {:<3}", interface.name, direction_names[d]);
  for (const auto& count : direction.protocols)
    text += fmt::format(" {:>8.1f}",
                        100 * static_cast<double>(count.packets) / static_cast<double>(direction.wire.packets));
  return text + "\n";
}

template <class Row>
std::string rows(const TrafficStats& total, Row row) {
  std::string text;
  for (const auto& interface : total.interfaces)
    for (std::size_t d = 0; d < 2; ++d)
      if (interface.directions[d].wire.packets > 0) text += row(interface, d);
  return text;
}

std::string bold(const std::string& line, bool color) { return (color ? "\033[1m" + line + "\033[0m" : line) + "\n"; }

}  // namespace

std::string stats_text(const TrafficStats& total, const TrafficStats& interval, bool color) {
  const auto seconds = static_cast<std::time_t>(total.wall_ns / 1'000'000'000);
  std::tm local{};
  ::localtime_r(&seconds, &local);
  bool frames = false;
  const auto sides = sides_table(total, interval, frames);
  std::string text = bold(fmt::format("{:%H:%M:%S}  rates of {:.1f} s, counts since the start {:.1f} s ago", local,
                                      std::chrono::duration<double>(interval.duration).count(),
                                      std::chrono::duration<double>(total.duration).count()),
                          color);
  text += "\n" + bold(fmt::format("{:<15} {:<3} {:>8} {:>8} {:>13} {:>15} {:>13} {:>15}  {}", "interface", "",
                                  "packet/s", "bit/s", "packets", "bytes", "its packets", "its bytes", "coverage"),
                      color);
  text += sides;
  if (frames) text += "* it counts a packet that offload keeps together as one, and so do the packets beside it\n";
  std::string heading = fmt::format("{:<15} {:<3}", "size, %", "");
  for (std::size_t i = 0; i < packet_size_classes; ++i)
    heading += fmt::format(" {:>7}", (i + 1 < packet_size_classes ? "-" : "") + std::string(packet_size_class_name(i)));
  text += "\n" + bold(heading, color) + rows(total, sizes_row);
  heading = fmt::format("{:<15} {:<3}", "protocol, %", "");
  for (std::size_t i = 0; i < protocol_class_count; ++i)
    heading += fmt::format(" {:>8}", protocol_class_name(static_cast<ProtocolClass>(i)));
  return text + "\n" + bold(heading, color) + rows(total, protocols_row);
}

}  // namespace sonde::cli
