// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <unistd.h>

#include "export/sinks.hpp"

namespace sonde::exporter {

Result<Output> open_output(const std::string& path) {
  if (path == "-") {
    Fd copy(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0));
    if (!copy) return fail_errno("use standard output");
    return Output{std::move(copy), "standard output"};
  }
  Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!file) return fail_errno("create " + path);
  return Output{std::move(file), path};
}

}  // namespace sonde::exporter
