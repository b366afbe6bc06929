// SPDX-License-Identifier: Apache-2.0
#include "table.hpp"

#include <fmt/core.h>

#include <algorithm>

namespace sonde::corpus {

namespace {

std::string times_of(std::vector<double> seconds) {
  if (seconds.empty()) return "-";
  std::ranges::sort(seconds);
  return fmt::format("{:.1f} s, {:.1f} s", seconds[seconds.size() / 2], seconds.back());
}

}  // namespace

std::string options_table() {
  std::string text = "| key | default | range | what | why |\n|---|---|---|---|---|\n";
  for (const auto& option : security_options()) {
    const std::string unit = option.unit;
    const auto value = [&](double number) {
      if (unit == "on/off") return std::string(number != 0 ? "on" : "off");
      return unit.empty() || unit == "s" ? fmt::format("{}{}", number, unit.empty() ? "" : " s")
                                         : fmt::format("{}", number);
    };
    const auto what = unit.empty() || unit == "s" || unit == "on/off"
                          ? std::string(option.description)
                          : fmt::format("{} ({})", option.description, unit);
    const auto range = unit == "on/off" ? "on, off" : fmt::format("{} to {}", option.least, option.most);
    text += fmt::format("| `{}` | {} | {} | {} | {} |\n", option.key, value(option.value), range, what, option.reason);
  }
  return text;
}

Overall overall_of(const std::vector<Score>& scores) {
  Overall all;
  for (const auto& score : scores) {
    all.runs += score.runs;
    all.found += score.found;
    all.missed += score.missed;
    all.false_alarms += score.false_alarms;
  }
  return all;
}

std::string rows_of(const std::vector<Score>& scores) {
  std::string text =
      "| scene | what | runs | found | missed | false alarms | time to detection: median, longest |\n"
      "|---|---|---|---|---|---|---|\n";
  for (const auto& score : scores)
    text += fmt::format("| `{}` | {} | {} | {} | {} | {} | {} |\n", score.scene, score.what, score.runs,
                        score.attack ? std::to_string(score.found) : "-",
                        score.attack ? std::to_string(score.missed) : "-", score.false_alarms, times_of(score.seconds));
  return text;
}

std::string table_of(const std::vector<Score>& scores) {
  const auto all = overall_of(scores);
  return rows_of(scores) + fmt::format("| all | | {} | {} | {} | {} | |\n\nPrecision {:.3f}, recall {:.3f}.\n",
                                       all.runs, all.found, all.missed, all.false_alarms, all.precision(),
                                       all.recall());
}

}  // namespace sonde::corpus
