// SPDX-License-Identifier: Apache-2.0
// The options of `sonde watch`.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "environment.hpp"
#include "sonde/watch.hpp"

namespace sonde::cli {

/// A value without options: the exit status of --help, --list-options or of a wrong word, which has been printed.
struct ParsedWatch {
  std::optional<WatchOptions> options;
  int status = well;
};

[[nodiscard]] ParsedWatch parse_watch(const Environment& env, std::vector<std::string> arguments);

/// What --list-options prints: every threshold with its default, its range, what it is and why.
void print_security_options(std::ostream& out);

}  // namespace sonde::cli
