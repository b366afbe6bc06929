// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <csignal>
#include <iostream>

#include "commands.hpp"

int main(int argc, char** argv) {
  // Closed pipes and file-size limits are errors of write(2), not deaths.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  const sonde::cli::Environment env{std::cout, std::cerr, ::isatty(STDOUT_FILENO) == 1};
  const int status = sonde::cli::run(env, {argv + 1, argv + argc});
  std::cout.flush();
  return status;
}
