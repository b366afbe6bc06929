// SPDX-License-Identifier: Apache-2.0
#include "export/events/retransmission.hpp"

#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>
#include <vector>

#include "export/clock.hpp"
#include "export/events/connection_text.hpp"
#include "export/events/owner.hpp"
#include "export/events/retransmission_text.hpp"
#include "export/text/palette.hpp"

namespace sonde::exporter {
namespace {

using Json = nlohmann::ordered_json;
using Kind = RetransmissionKind;

bool is_segment(const Retransmission& event) { return event.kind != Kind::spurious && event.kind != Kind::untold; }

// What no acknowledgment or probe asked for: the connection stood still until a timer fired.
bool is_timeout(Kind kind) { return kind == Kind::rto || kind == Kind::syn || kind == Kind::syn_ack; }

std::string coloured(std::string_view colour, std::string_view text, const Palette& palette) {
  return colour.empty() ? std::string(text) : fmt::format("{}{}{}", colour, text, palette.plain);
}

std::string kind_text(Kind kind, const Palette& palette) {
  const auto padded = fmt::format("{:<8}", retransmission_kind_name(kind));
  return coloured(is_timeout(kind) ? palette.alert : std::string_view{}, padded, palette);
}

std::string cause_text(const Retransmission& event, const Palette& palette) {
  return coloured(event.local_drop || event.error != 0 ? palette.alert : std::string_view{},
                  retransmission_cause(event), palette);
}

// What is usual is left out, so that the line fits a terminal.
void add_state(std::vector<std::string>& facts, const Retransmission& event) {
  constexpr std::uint8_t established = 1;
  if (event.socket.state != established) facts.emplace_back(tcp_state_name(event.socket.state));
  if (event.socket_total != 0) facts.push_back(fmt::format("#{}", event.socket_total));
}

void add_path(std::vector<std::string>& facts, const Retransmission& event) {
  if (event.smoothed_rtt_us != 0) facts.push_back("rtt " + rtt_text(event.smoothed_rtt_us));
  if (is_timeout(event.kind) && event.rto_ms != 0) facts.push_back(fmt::format("rto {} ms", event.rto_ms));
  if (event.congestion_window != 0) facts.push_back(fmt::format("cwnd {}", event.congestion_window));
  if (event.bytes_in_flight != 0) facts.push_back("flight " + bytes_text(event.bytes_in_flight));
}

void add_segment(std::vector<std::string>& facts, const Retransmission& event) {
  if (!is_segment(event)) return;
  facts.push_back(fmt::format("seq {}:{}", event.sequence, event.end_sequence));
  if (event.segments > 1) facts.push_back(fmt::format("{} segments", event.segments));
  if (event.unreported > 0) facts.push_back(fmt::format("{} more untold before", event.unreported));
}

void add_local_drop(Json& object, const LocalDrop& drop) {
  static thread_local TimeText time("%Y-%m-%dT%H:%M:%S", TimeText::Zone::utc);
  Json& member = object["local_drop"];
  member["time"] = time.text(drop.wall_ns) + "Z";
  member["reason"] = drop.reason;
  if (!drop.function.empty()) member["function"] = drop.function;
  if (!drop.interface.empty()) member["interface"] = drop.interface;
  if (drop.ifindex != 0) member["ifindex"] = drop.ifindex;
  if (drop.network_namespace != 0) member["network_namespace"] = drop.network_namespace;
}

void add_segment(Json& object, const Retransmission& event) {
  object["segments"] = event.segments;
  if (event.unreported != 0) object["unreported"] = event.unreported;
  if (event.kind == Kind::spurious) {
    object["spurious"] = event.spurious;
    object["evidence"] = event.spurious_evidence;
  }
  if (!is_segment(event)) return;
  object["sequence"] = event.sequence;
  object["end_sequence"] = event.end_sequence;
  if (event.error > 0) object["error"] = error_text(event.error);
  if (event.error < 0) object["error"] = "queue";
}

void add_path(Json& object, const Retransmission& event) {
  object["socket_total"] = event.socket_total;
  if (event.smoothed_rtt_us != 0) object["smoothed_rtt_us"] = event.smoothed_rtt_us;
  if (event.rto_ms != 0) object["rto_ms"] = event.rto_ms;
  if (event.congestion_window != 0) object["congestion_window"] = event.congestion_window;
  object["bytes_in_flight"] = event.bytes_in_flight;
}

}  // namespace

std::string retransmission_cause(const Retransmission& event) {
  if (event.kind == Kind::spurious) return fmt::format("{} needless: {}", event.spurious, event.spurious_evidence);
  if (event.kind == Kind::untold) return fmt::format("{} untold before", event.unreported);
  if (event.error > 0) return "not sent: " + error_text(event.error);
  if (event.error < 0) return "not sent: queue full";
  if (event.local_drop) {
    const auto& drop = *event.local_drop;
    auto text = "lost here: " + drop.reason;
    if (drop.reason == "NOT_SPECIFIED" && !drop.function.empty()) text += " (" + drop.function + ")";
    return drop.interface.empty() ? text : text + " in " + drop.interface;
  }
  if (event.kind == Kind::syn || event.kind == Kind::syn_ack || event.kind == Kind::tlp) return "not answered";
  return event.kind == Kind::path_mtu ? "too large for the path" : "lost on the wire";
}

const char* retransmission_kind_word(Kind kind) {
  static constexpr std::array words = {"rto",     "loss",     "fast",     "tlp",   "syn",
                                       "syn_ack", "path_mtu", "spurious", "untold"};
  const auto index = static_cast<std::size_t>(kind);
  return index < words.size() ? words[index] : "";
}

std::string retransmission_line(const Retransmission& event, bool color) {
  static thread_local TimeText time("%H:%M:%S", TimeText::Zone::local);
  const Palette& palette = color ? colours : no_colours;
  std::vector<std::string> facts{cause_text(event, palette)};
  add_state(facts, event);
  add_path(facts, event);
  add_segment(facts, event);
  return fmt::format("{} {} {} {} > {}: {}", time.text(event.wall_ns), kind_text(event.kind, palette),
                     owner_text(event.owner), event.socket.local.text(), event.socket.remote.text(),
                     fmt::join(facts, ", "));
}

std::string retransmission_json(const Retransmission& event) {
  static thread_local TimeText time("%Y-%m-%dT%H:%M:%S", TimeText::Zone::utc);
  Json object;
  object["type"] = "retransmission";
  object["time"] = time.text(event.wall_ns) + "Z";
  object["kind"] = retransmission_kind_word(event.kind);
  object["cause"] = retransmission_cause(event);
  add_socket(object, event.socket);
  add_segment(object, event);
  add_path(object, event);
  if (event.local_drop) add_local_drop(object, *event.local_drop);
  add_owner(object, event.owner);
  return object.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace sonde::exporter
