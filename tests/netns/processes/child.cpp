// SPDX-License-Identifier: Apache-2.0
#include "child.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <stdexcept>

namespace sonde::test {
namespace {

std::vector<char*> words_of(const std::vector<std::string>& arguments) {
  std::vector<char*> words;
  words.reserve(arguments.size() + 1);
  for (const auto& argument : arguments) words.push_back(const_cast<char*>(argument.c_str()));
  words.push_back(nullptr);
  return words;
}

}  // namespace

Child::Child(const std::function<void()>& body) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("cannot make a pipe");
  const Fd read_end(ends[0]);
  gate_ = Fd(ends[1]);
  pid_ = ::fork();
  if (pid_ < 0) throw std::runtime_error("cannot fork");
  if (pid_ != 0) return;
  ::close(ends[1]);
  char byte = 0;
  static_cast<void>(::read(ends[0], &byte, 1));
  body();
  ::_exit(0);
}

Child::~Child() { finish(); }

void Child::go() { gate_.reset(); }

void Child::finish() {
  go();
  if (!reaped_) reap(pid_);
  reaped_ = true;
}

void execute(const std::vector<std::string>& arguments) {
  ::execv(arguments[0].c_str(), words_of(arguments).data());
  ::_exit(127);
}

pid_t spawn(std::vector<std::string> arguments) {
  pid_t pid = -1;
  if (::posix_spawn(&pid, arguments[0].c_str(), nullptr, nullptr, words_of(arguments).data(), environ) != 0)
    throw std::runtime_error("cannot start " + arguments[0]);
  return pid;
}

void reap(pid_t pid) { ::waitpid(pid, nullptr, 0); }

Watch::Watch(std::size_t capacity) : table("/proc", capacity) {
  auto events = processes::ProcessEvents::start();
  if (!events) throw std::runtime_error(events.error().text());
  events_ = std::move(*events);
  table.scan();
}

std::shared_ptr<const sonde::Process> Watch::see(std::uint32_t pid) {
  drain();
  auto process = table.latest(pid);
  if (!process) throw std::runtime_error("process " + std::to_string(pid) + " is not known");
  return process;
}

}  // namespace sonde::test
