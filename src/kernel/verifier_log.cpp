// SPDX-License-Identifier: Apache-2.0
#include "kernel/verifier_log.hpp"

#include <vector>

namespace sonde::kernel {
namespace {

std::vector<std::string_view> non_empty_lines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const auto end = text.find('\n');
    const auto line = text.substr(0, end);
    if (!line.empty()) lines.push_back(line);
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
  }
  return lines;
}

bool is_frame(std::string_view line) {
  return line.starts_with("libbpf:") || line.starts_with("-- ") || line.starts_with("processed ") ||
         line.starts_with("verification time");
}

}  // namespace

std::string verifier_reason(std::string_view log) {
  const auto lines = non_empty_lines(log);
  for (auto line = lines.rbegin(); line != lines.rend(); ++line) {
    if (is_frame(*line)) continue;
    return std::string(*line) + " (" + std::to_string(lines.size() - 1) + " lines omitted)";
  }
  return lines.empty() ? std::string{} : std::string(lines.back());
}

}  // namespace sonde::kernel
