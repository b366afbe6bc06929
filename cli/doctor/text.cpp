// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "doctor/render.hpp"

namespace sonde::cli {
namespace {

struct Style {
  const char* word;
  const char* colour;  ///< ANSI
};

Style style_of(Answer answer) {
  constexpr Style styles[] = {{"yes", "\033[32m"}, {"no", "\033[31m"}, {"cannot tell", "\033[33m"}};
  return styles[static_cast<std::size_t>(answer)];
}

// Padded before it is coloured: the escape sequences have no width.
std::string answer_cell(Answer answer, bool colour) {
  const auto style = style_of(answer);
  const auto cell = fmt::format("{:<11}", style.word);
  return colour ? style.colour + cell + "\033[0m" : cell;
}

std::string without_trailing_blanks(std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  return line + '\n';
}

std::string feature_line(const DoctorFeature& feature, std::size_t name_width, bool colour) {
  auto line =
      fmt::format("  {:<{}}  {}  {}", feature.name, name_width, answer_cell(feature.answer, colour), feature.purpose);
  if (!feature.hook.empty()) line += fmt::format(" [{}]", feature.hook);
  line += '\n';
  if (feature.answer == Answer::yes) return line;
  if (!feature.reason.empty()) line += fmt::format("      {}\n", feature.reason);
  if (!feature.advice.empty()) line += fmt::format("      -> {}\n", feature.advice);
  return line;
}

std::string features_text(const DoctorReport& report, bool colour) {
  std::size_t width = 0;
  for (const auto& feature : report.features) width = std::max(width, feature.name.size());
  std::string text, group;
  for (const auto& feature : report.features) {
    if (feature.group != group) text += "\n" + feature.group + "\n";
    group = feature.group;
    text += feature_line(feature, width, colour);
  }
  return text;
}

std::string or_dash(const std::string& word) { return word.empty() ? "-" : word; }

std::string interfaces_text(const DoctorReport& report, bool colour) {
  std::size_t width = 4;
  for (const auto& interface : report.interfaces) width = std::max(width, interface.name.size());
  auto text =
      fmt::format("\ninterfaces (nothing was attached to them)\n  {:<{}}  {:<5}  {:<9}  {:<11}  {:<10}  {:<10}  {}\n",
                  "name", width, "state", "link", "native XDP", "received", "sent", "note");
  for (const auto& interface : report.interfaces)
    text += without_trailing_blanks(fmt::format("  {:<{}}  {:<5}  {:<9}  {}  {:<10}  {:<10}  {}", interface.name, width,
                                                interface.up ? "up" : "down", interface.link,
                                                answer_cell(interface.native_xdp, colour), or_dash(interface.receive),
                                                or_dash(interface.send), interface.note));
  return text;
}

std::string capture_text(const DoctorCapture& capture) {
  if (capture.source == "none") return fmt::format("\nsonde capture: live packets cannot be had: {}\n", capture.reason);
  auto text = fmt::format("\nsonde capture: source {}, received packets by {}, sent ones by {}\n", capture.source,
                          capture.receive, capture.send);
  if (!capture.reason.empty()) text += fmt::format("  {}\n", capture.reason);
  return text;
}

}  // namespace

std::string doctor_text(const DoctorReport& report, bool colour) {
  return fmt::format("Linux {}, as {}\n", report.kernel, report.privileges) + features_text(report, colour) +
         interfaces_text(report, colour) + capture_text(report.capture);
}

}  // namespace sonde::cli
