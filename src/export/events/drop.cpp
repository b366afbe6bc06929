// SPDX-License-Identifier: Apache-2.0
#include "export/events/drop.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <array>
#include <nlohmann/json.hpp>
#include <string_view>

#include "export/clock.hpp"
#include "export/events/owner.hpp"
#include "export/json/packet.hpp"
#include "export/text/line.hpp"

namespace sonde::exporter {
namespace {

using Json = nlohmann::ordered_json;

// "HH:MM:SS.nnnnnnnnn", with which every line of LineFormatter begins.
constexpr std::size_t time_size = 18;

std::uint32_t own_network_namespace() {
  static const std::uint32_t inode = [] {
    struct ::stat status {};
    return ::stat("/proc/self/ns/net", &status) == 0 ? static_cast<std::uint32_t>(status.st_ino) : 0U;
  }();
  return inode;
}

std::string interface_text(const Drop& drop) {
  std::string text = drop.interface;
  if (text.empty()) text = drop.ifindex == 0 ? "-" : fmt::format("if{}", drop.ifindex);
  const bool elsewhere = drop.network_namespace != 0 && drop.network_namespace != own_network_namespace();
  return elsewhere ? fmt::format("{}@{}", text, drop.network_namespace) : text;
}

// The packet in the words of `sonde capture`.
std::string packet_line(const Drop& drop, bool color) {
  std::array<char, LineFormatter::max_size> text;
  const InterfaceTable interfaces{{drop.packet.header.ifindex, {interface_text(drop), LinkType::ethernet}}};
  LineFormatter formatter({.colour = color});
  Packet packet{.event = &drop.packet, .data = drop.bytes.data(), .wall_ns = drop.wall_ns};
  return {text.data(), formatter.append(text.data(), packet, interfaces)};
}

std::string place_text(const Drop& drop, bool color) {
  const Palette& palette = color ? colours : no_colours;
  return fmt::format(" {}{}{}{}{}", palette.alert, drop.reason, palette.plain, drop.function.empty() ? "" : " ",
                     drop.function);
}

std::string time_text(std::int64_t wall_ns) {
  thread_local TimeText time("%Y-%m-%dT%H:%M:%S", TimeText::Zone::utc);
  return time.text(wall_ns) + "Z";
}

std::string packet_fields(const Drop& drop) {
  std::array<char, max_packet_fields_size> text;
  return {text.data(), append_packet_fields(text.data(), drop.packet)};
}

std::string dump(const Json& object) { return object.dump(-1, ' ', false, Json::error_handler_t::replace); }

Json place_json(const Drop& drop) {
  Json object;
  object["type"] = "drop";
  object["time"] = time_text(drop.wall_ns);
  object["reason"] = drop.reason;
  object["reason_number"] = drop.reason_number;
  if (!drop.function.empty()) object["function"] = drop.function;
  if (!drop.interface.empty()) object["interface"] = drop.interface;
  if (drop.ifindex != 0) object["ifindex"] = drop.ifindex;
  if (drop.network_namespace != 0) object["network_namespace"] = drop.network_namespace;
  object["direction"] = drop.packet.direction == SONDE_DIRECTION_OUT ? "out" : "in";
  return object;
}

}  // namespace

std::string drop_line(const Drop& drop, bool color) {
  auto line = packet_line(drop, color);
  line.insert(time_size, place_text(drop, color));
  return line + ", " + owner_text(drop.owner);
}

// Three objects in one: the packet's members are those of a captured packet, written by the same code.
std::string drop_json(const Drop& drop) {
  Json owner;
  add_owner(owner, drop.owner);
  auto text = dump(place_json(drop));
  text.back() = ',';
  text += packet_fields(drop);
  return text + "," + dump(owner).substr(1);
}

}  // namespace sonde::exporter
