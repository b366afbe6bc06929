// SPDX-License-Identifier: Apache-2.0
#include "option_group.hpp"

#include <algorithm>

namespace sonde::cli {

std::optional<int> parse_arguments(const Environment& env, CLI::App& app, const std::string& command,
                                   std::vector<std::string> arguments) {
  std::ranges::reverse(arguments);  // CLI11 takes them from the back
  try {
    app.parse(arguments);
  } catch (const CLI::CallForHelp&) {
    env.out << app.help();
    return well;
  } catch (const CLI::ParseError& error) {
    env.err << "sonde: " << command << ": " << error.what() << "\n`sonde " << command << " --help` lists the options\n";
    return usage;
  }
  return {};
}

}  // namespace sonde::cli
