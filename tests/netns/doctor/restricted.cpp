// SPDX-License-Identifier: Apache-2.0
#include "restricted.hpp"

#include <grp.h>
#include <linux/capability.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sstream>
#include <stdexcept>

#include "doctor/doctor.hpp"

namespace sonde::test {
namespace {

void check(bool succeeded, const char* what) {
  if (!succeeded) throw std::runtime_error(what);
}

[[noreturn]] void be_child(int pipe, const std::function<void()>& restrict_process) {
  int status = 100;
  try {
    restrict_process();
    std::ostringstream out, err;
    status = cli::doctor({out, err, false}, {"--json"});
    const auto text = out.str();
    if (::write(pipe, text.data(), text.size()) != static_cast<ssize_t>(text.size())) status = 101;
  } catch (const std::exception&) {
    status = 102;
  }
  ::_exit(status);
}

std::string read_all_of(int fd) {
  std::string text;
  char buffer[4096];
  for (ssize_t size = 0; (size = ::read(fd, buffer, sizeof(buffer))) > 0;)
    text.append(buffer, static_cast<std::size_t>(size));
  return text;
}

}  // namespace

DoctorRun run_doctor(const std::function<void()>& restrict_process) {
  int ends[2];
  check(::pipe(ends) == 0, "pipe");
  const auto child = ::fork();
  check(child >= 0, "fork");
  if (child == 0) be_child(ends[1], restrict_process);
  ::close(ends[1]);
  const auto text = read_all_of(ends[0]);
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, nlohmann::json::parse(text)};
}

void become_nobody() {
  constexpr uid_t nobody = 65534;
  check(::setgroups(0, nullptr) == 0 && ::setresgid(nobody, nobody, nobody) == 0 &&
            ::setresuid(nobody, nobody, nobody) == 0,
        "setresuid");
}

void give_up(std::uint64_t capabilities) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[2]{};
  check(::syscall(SYS_capget, &header, sets) == 0, "capget");
  for (int i = 0; i < 2; ++i) {
    const auto keep = ~static_cast<std::uint32_t>(capabilities >> (32 * i));
    sets[i].effective &= keep;
    sets[i].permitted &= keep;
    sets[i].inheritable &= keep;
  }
  check(::syscall(SYS_capset, &header, sets) == 0, "capset");
}

nlohmann::json feature(const nlohmann::json& report, const std::string& name) {
  for (const auto& row : report["features"])
    if (row["name"] == name) return row;
  return nullptr;
}

}  // namespace sonde::test
