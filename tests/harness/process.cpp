// SPDX-License-Identifier: Apache-2.0
#include "harness/process.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <thread>

namespace sonde::test {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds poll_interval{5};

// In the child: only calls that are safe after fork().
[[noreturn]] void execute(int netns, const char* output, const char* errors, char* const* arguments) {
  const int out = ::open(output, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  const int err = ::open(errors, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  const int in = ::open("/dev/null", O_RDONLY);
  if (in < 0 || out < 0 || err < 0) ::_exit(127);
  if (::setns(netns, CLONE_NEWNET) == 0 && ::dup2(in, 0) == 0 && ::dup2(out, 1) == 1 && ::dup2(err, 2) == 2)
    ::execvp(arguments[0], arguments);
  ::_exit(127);
}

int exit_status(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status); }

}  // namespace

Process::Process(const NetworkNamespace& where, std::vector<std::string> arguments) {
  std::vector<char*> words;
  words.reserve(arguments.size() + 1);
  for (auto& argument : arguments) words.push_back(argument.data());
  words.push_back(nullptr);
  pid_ = ::fork();  // NOLINT(cppcoreguidelines-prefer-member-initializer): not before the words are there
  if (pid_ < 0) throw std::runtime_error("cannot fork");
  if (pid_ == 0) execute(where.fd(), output_.path().c_str(), errors_.path().c_str(), words.data());
}

Process::~Process() {
  if (status_ >= 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void Process::signal(int number) const {
  if (status_ < 0) ::kill(pid_, number);
}

int Process::wait(std::chrono::milliseconds patience) {
  const auto deadline = Clock::now() + patience;
  while (status_ < 0) {
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) == pid_)
      status_ = exit_status(status);
    else if (Clock::now() > deadline)
      return -1;
    else
      std::this_thread::sleep_for(poll_interval);
  }
  return status_;
}

std::string Process::output() const { return read_file(output_.path()); }
std::string Process::errors() const { return read_file(errors_.path()); }

bool Process::wait_for_error_text(const std::string& text, std::chrono::milliseconds patience) {
  return wait_for_text(errors_.path(), text, patience);
}

bool Process::wait_for_output_text(const std::string& text, std::chrono::milliseconds patience) {
  return wait_for_text(output_.path(), text, patience);
}

bool Process::wait_for_text(const std::string& path, const std::string& text, std::chrono::milliseconds patience) {
  for (const auto deadline = Clock::now() + patience; Clock::now() < deadline;) {
    const bool ended = wait(std::chrono::milliseconds{0}) >= 0;
    if (read_file(path).find(text) != std::string::npos) return true;
    if (ended) return false;
    std::this_thread::sleep_for(poll_interval);
  }
  return false;
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace sonde::test
