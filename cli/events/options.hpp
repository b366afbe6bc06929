// SPDX-License-Identifier: Apache-2.0
// The options of `sonde retrans`, `sonde drops` and `sonde connections`.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "environment.hpp"
#include "sonde/events.hpp"

namespace sonde::cli {

/// What one of the commands says about itself in --help.
struct EventCommand {
  const char* name;
  const char* description;
  const char* filters;  ///< heading of the filter options
  const char* footer;
  bool has_snapshot;
  bool has_packets;  ///< its events are packets: --direction, --min-size, --max-size
};

/// A value without options: the exit status of --help or of a wrong word, which has been printed.
struct ParsedEvents {
  std::optional<EventOptions> options;
  bool snapshot = false;
  bool quiet = false;
  int status = well;
};

[[nodiscard]] ParsedEvents parse_events(const Environment& env, const EventCommand& command,
                                        std::vector<std::string> arguments);

}  // namespace sonde::cli
