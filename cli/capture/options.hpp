// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "environment.hpp"
#include "sonde/capture.hpp"

namespace sonde::cli {

/// The words of `sonde capture` as options. A value without options: the exit status of --help or of a wrong word,
/// which has been printed.
struct ParsedCapture {
  std::optional<CaptureOptions> options;
  int status = well;
};

[[nodiscard]] ParsedCapture parse_capture(const Environment& env, std::vector<std::string> arguments);

}  // namespace sonde::cli
