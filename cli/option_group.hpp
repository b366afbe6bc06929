// SPDX-License-Identifier: Apache-2.0
// What the commands share about their options: a line an option, and the parse with its errors.
#pragma once
#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include "environment.hpp"

namespace sonde::cli {

/// One line an option: its words, what stands for its value in the help, where it goes, what it means.
class OptionGroup {
 public:
  OptionGroup(CLI::App& app, std::string name) : app_(app), name_(std::move(name)) {}

  template <class T>
  CLI::Option* option(const char* words, const char* value, T& target, const std::string& meaning) {
    return app_.add_option(words, target, meaning)->group(name_)->type_name(value)->allow_extra_args(false);
  }
  void flag(const char* words, bool& target, const std::string& meaning) {
    app_.add_flag(words, target, meaning)->group(name_);
  }

 private:
  CLI::App& app_;
  std::string name_;
};

/// Nothing: the words were taken. Else the exit status of --help or of a wrong word, which has been printed. `command`
/// is the word after `sonde`.
[[nodiscard]] std::optional<int> parse_arguments(const Environment& env, CLI::App& app, const std::string& command,
                                                 std::vector<std::string> arguments);

}  // namespace sonde::cli
