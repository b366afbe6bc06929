// SPDX-License-Identifier: Apache-2.0
// The options of `sonde flows`.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "environment.hpp"
#include "sonde/flow_stream.hpp"

namespace sonde::cli {

/// A value without options: the exit status of --help or of a wrong word, which has been printed.
struct ParsedFlows {
  std::optional<FlowStreamOptions> options;
  bool screen = false;    ///< a table that is drawn again and again, on a terminal
  bool fits_top = false;  ///< --top was not given: as many rows as fit
  int status = well;
};

[[nodiscard]] ParsedFlows parse_flows(const Environment& env, std::vector<std::string> arguments);

}  // namespace sonde::cli
