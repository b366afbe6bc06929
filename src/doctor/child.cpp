// SPDX-License-Identifier: Apache-2.0
// The trials in a process of their own: its network namespace, links and sockets go with it, whatever ends it.
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>

#include "base/fd.hpp"
#include "doctor/trials.hpp"

namespace sonde::doctor {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::seconds patience{120};  // the trials take 1 s; an emulated machine is 40 times slower

constexpr std::array<const char*, 3> answer_letters = {"y", "n", "u"};  // in the order of Answer

void write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto size = ::write(fd, bytes.data(), bytes.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(size));
  }
}

[[noreturn]] void be_child(int pipe, pid_t parent, const Programs& programs, const Privileges& privileges) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() == parent) write_all(pipe, serialize(run_trials(programs, privileges)));
  ::_exit(0);  // the buffers and exit handlers are the parent's
}

/// All that comes until the other end is closed or the time is up.
std::string read_until_closed(int fd) {
  std::string bytes;
  char buffer[4096];
  for (const auto end = Clock::now() + patience; Clock::now() < end;) {
    pollfd waiting{fd, POLLIN, 0};
    if (::poll(&waiting, 1, 100) <= 0) continue;
    const auto size = ::read(fd, buffer, sizeof(buffer));
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) break;
    bytes.append(buffer, static_cast<std::size_t>(size));
  }
  return bytes;
}

void wait_for(pid_t child) {
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
}

}  // namespace

std::string serialize(const Findings& findings) {
  std::string bytes;
  for (const auto& [name, finding] : findings)
    for (const std::string& field : {name, std::string(answer_letters[static_cast<std::size_t>(finding.answer)]),
                                     finding.hook, finding.reason, finding.advice})
      bytes.append(field.c_str(), std::char_traits<char>::length(field.c_str()) + 1);
  return bytes;
}

Findings deserialize(std::string_view bytes) {
  Findings findings;
  for (;;) {
    std::array<std::string, 5> fields;
    for (auto& field : fields) {
      const auto end = bytes.find('\0');
      if (end == std::string_view::npos) return findings;
      field = bytes.substr(0, end);
      bytes.remove_prefix(end + 1);
    }
    for (std::size_t i = 0; i < answer_letters.size(); ++i)
      if (fields[1] == answer_letters[i])
        findings[fields[0]] = {static_cast<Answer>(i), fields[2], fields[3], fields[4]};
  }
}

Findings run_trials_in_child(const Programs& programs, const Privileges& privileges) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return all_trials(cannot_tell(fail_errno("cannot make a pipe").error().text()));
  const Fd from_child(ends[0]);
  Fd to_parent(ends[1]);
  const auto parent = ::getpid();
  const auto child = ::fork();
  if (child < 0) return all_trials(cannot_tell(fail_errno("cannot start a process").error().text()));
  if (child == 0) be_child(to_parent.get(), parent, programs, privileges);
  to_parent.reset();
  auto findings = all_trials(cannot_tell("the process that tries it ended early"));
  for (auto& [name, finding] : deserialize(read_until_closed(from_child.get()))) findings[name] = finding;
  ::kill(child, SIGKILL);
  wait_for(child);
  return findings;
}

}  // namespace sonde::doctor
