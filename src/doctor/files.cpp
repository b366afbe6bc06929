// SPDX-License-Identifier: Apache-2.0
#include "doctor/files.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "base/fd.hpp"

namespace sonde::doctor {

Result<std::string> read_file(const std::string& path) {
  constexpr std::size_t most = 64 * 1024;
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail_errno("cannot open " + path);
  std::string text;
  char buffer[4096];
  while (text.size() < most) {
    const auto size = ::read(fd.get(), buffer, sizeof(buffer));
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return fail_errno("cannot read " + path);
    if (size == 0) break;
    text.append(buffer, static_cast<std::size_t>(size));
  }
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

}  // namespace sonde::doctor
