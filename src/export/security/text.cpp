// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <vector>

#include "decode/escape.hpp"
#include "export/clock.hpp"
#include "export/events/owner.hpp"
#include "export/security/security.hpp"
#include "sonde/flow.hpp"

namespace sonde::exporter {
namespace {

constexpr std::size_t nanosecond_digits = 9;
constexpr std::size_t shown_digits = 3;
constexpr std::size_t most_addresses = 5;
// What the replay calls an interface that the file does not name.
constexpr std::string_view unnamed = "unknown";

struct Palette {
  std::array<std::string_view, 4> severity;  ///< by Severity
  std::string_view label, plain;
};
constexpr Palette no_colours{};
constexpr Palette colours{{"\033[36m", "\033[34m", "\033[33m", "\033[1;31m"}, "\033[90m", "\033[0m"};

constexpr std::array<std::string_view, 4> severity_words{"INFO", "LOW", "MEDIUM", "HIGH"};

// Milliseconds: events are made a few times a second.
std::string time_text(const char* format, std::int64_t wall_ns) {
  std::array<char, TimeText::max_size> text;
  TimeText time(format, TimeText::Zone::local);
  char* const end = time.append(text.data(), wall_ns);
  return std::string(text.data(), end - (nanosecond_digits - shown_digits));
}

std::string escaped(std::string_view text) {
  std::string out;
  decode::append_escaped(out, text);
  return out;
}

std::string span_text(std::int64_t ns) {
  const auto seconds = static_cast<double>(std::max<std::int64_t>(ns, 0)) / 1e9;
  if (seconds < 60) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<std::int64_t>(seconds);
  if (whole < 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
  return fmt::format("{} h {} min", whole / 3600, whole / 60 % 60);
}

class Block {
 public:
  Block(const SecurityEvent& event, bool color) : event_(event), palette_(color ? colours : no_colours) {}

  std::string text() {
    head();
    if (event_.state == SecurityState::started)
      details();
    else
      later_counts();
    answer();
    if (event_.state == SecurityState::started) out_ += '\n';
    return std::move(out_);
  }

 private:
  void head() {
    const auto severity = static_cast<std::size_t>(event_.severity) % severity_words.size();
    fmt::format_to(std::back_inserter(out_), "{}  {}{:<6}{}  {} #{} {}: {}", time_text("%F %T", event_.wall_ns),
                   palette_.severity[severity], severity_words[severity], palette_.plain,
                   security_kind_name(event_.kind), event_.id, state(), escaped(event_.summary));
  }

  [[nodiscard]] std::string state() const {
    if (event_.state == SecurityState::started) return "started";
    if (event_.state == SecurityState::updated) return "goes on";
    return "ended after " + span_text(event_.last_wall_ns - event_.first_wall_ns);
  }

  void line(std::string_view label, std::string_view text) {
    fmt::format_to(std::back_inserter(out_), "\n  {}{:<9}{} {}", palette_.label, label, palette_.plain, text);
  }

  void details() {
    line("who", addresses(event_.who, event_.sources, "sources") + (event_.outbound ? ", this host" : ""));
    if (event_.owner.owner.known()) line("process", owner_text(event_.owner));
    line("whom", addresses(event_.whom, event_.targets, "targets"));
    if (!event_.interface.empty() && event_.interface != unnamed) line("interface", escaped(event_.interface));
    evidence();
    flows();
    if (!event_.evidence_file.empty()) line("packets", escaped(event_.evidence_file));
  }

  static std::string addresses(const std::vector<std::string>& list, std::uint64_t count, const char* many) {
    std::string text;
    const auto shown = std::min(list.size(), most_addresses);
    for (std::size_t i = 0; i < shown; ++i) text += (i == 0 ? "" : ", ") + escaped(list[i]);
    if (text.empty()) text = "unknown";
    if (count > shown) text += fmt::format(" ... {} {}", count, many);
    return text;
  }

  static std::string words_of(const std::string& name) {
    auto words = escaped(name);
    std::ranges::replace(words, '_', ' ');
    return words;
  }

  void evidence() {
    std::string text;
    for (const auto& [name, value] : event_.evidence)
      text += (text.empty() ? "" : ", ") + words_of(name) + " " + escaped(value);
    if (!text.empty()) line("evidence", text);
  }

  // What is known only since the event was shown first.
  void later_counts() {
    static constexpr std::array<std::string_view, 2> later{"packets_dropped_by_rule", "packets_in_evidence_file"};
    for (const auto& [name, value] : event_.evidence)
      if (std::ranges::find(later, name) != later.end()) line("counted", words_of(name) + " " + escaped(value));
  }

  void flows() {
    const char* label = "flows";
    for (const auto& flow : event_.flows) {
      const bool has_ports = flow.source.port != 0 || flow.destination.port != 0;
      const auto end = [&](const Endpoint& one) { return has_ports ? one.text() : one.address_text(); };
      line(label, fmt::format("{} {} {} > {}, {} packets, {} bytes", time_text("%T", flow.wall_ns),
                              flow_protocol_name(flow.protocol), end(flow.source), end(flow.destination), flow.packets,
                              flow.bytes));
      label = "";
    }
  }

  void answer() {
    if (!event_.action.empty())
      line("done", escaped(event_.action) + (event_.undo.empty() ? "" : "; undo: " + escaped(event_.undo)));
    // Who can take back what was done need not be told how to do it.
    if (event_.state == SecurityState::started && event_.undo.empty() && !event_.response.empty())
      line("stop it", escaped(event_.response));
  }

  const SecurityEvent& event_;
  const Palette& palette_;
  std::string out_;
};

}  // namespace

std::string security_text(const SecurityEvent& event, bool color) { return Block(event, color).text(); }

}  // namespace sonde::exporter
