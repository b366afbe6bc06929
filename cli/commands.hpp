// SPDX-License-Identifier: Apache-2.0
// The table of subcommands.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "environment.hpp"

namespace sonde::cli {

struct Command {
  const char* name;
  const char* description;
  /// `arguments` without the command's own name. Gives the exit status.
  int (*run)(const Environment& env, std::vector<std::string> arguments);
};

[[nodiscard]] std::span<const Command> commands();

/// Runs `sonde ARGUMENTS...`: a command of the table, --help or --version.
[[nodiscard]] int run(const Environment& env, std::vector<std::string> arguments);

}  // namespace sonde::cli
