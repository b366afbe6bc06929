// SPDX-License-Identifier: Apache-2.0
// Fork, exec and exit as the kernel tells them; /proc is the oracle where the process still runs.
#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "child.hpp"
#include "enrich/process/proc_reader.hpp"
#include "harness/command.hpp"
#include "harness/netns.hpp"
#include "harness/process.hpp"

namespace sonde::test {
namespace {

using Words = std::vector<std::string>;

sonde_task task_of(const sonde::Process& process, const char* comm) {
  sonde_task task{};
  task.pid = task.tid = process.pid;
  task.start_time_ns = process.start_time_ns;
  task.uid = process.uid;
  task.cgroup_id = 1;
  task.evidence = SONDE_OWNER_SENT;
  ::strncpy(task.comm, comm, sizeof(task.comm) - 1);
  return task;
}

std::uint32_t own_pid() { return static_cast<std::uint32_t>(::getpid()); }

std::uint32_t network_namespace() {
  struct stat info {};
  ::stat("/proc/self/ns/net", &info);
  return static_cast<std::uint32_t>(info.st_ino);
}

TEST(Processes, OneThatIsGoneIsNamedWithItsCommandLine) {
  Watch watch;
  const auto pid = spawn({"/bin/true", "one", "two words", ""});
  reap(pid);
  const auto process = watch.see(static_cast<std::uint32_t>(pid));
  EXPECT_EQ(process->comm, "true");
  EXPECT_EQ(process->executable, "/bin/true");
  EXPECT_EQ(process->command_line, (Words{"/bin/true", "one", "two words", ""}));
  EXPECT_EQ(process->parent_pid, own_pid());
  EXPECT_EQ(process->uid, ::geteuid());
  EXPECT_EQ(process->network_namespace, network_namespace());
  EXPECT_TRUE(process->exited);
  EXPECT_EQ(watch.table.find(task_of(*process, "true")), process);
  EXPECT_EQ(watch.lost(), 0U);
}

TEST(Processes, StartTimesAgreeWithProc) {
  Watch watch;
  Child child([] {});
  const auto process = watch.see(child.pid());
  EXPECT_EQ(process->start_time_ns / enrich::ns_per_tick, enrich::read_start_ticks("/proc", child.pid()));
  const auto seconds = run("stat -c %Y /proc/" + std::to_string(child.pid()));
  EXPECT_NEAR(static_cast<double>(process->start_wall_ns) / 1e9, std::stod(seconds), 3);
}

TEST(Processes, AForkedChildIsItsParent) {
  Watch watch;
  Child child([] {});
  child.finish();
  const auto process = watch.see(child.pid());
  const auto self = enrich::read_process("/proc", own_pid());
  ASSERT_TRUE(self);
  EXPECT_EQ(process->executable, self->executable);
  EXPECT_EQ(process->command_line, self->command_line);
  EXPECT_EQ(process->cgroup, self->cgroup);
  EXPECT_EQ(process->parent_pid, own_pid());
  EXPECT_TRUE(process->exited);
}

TEST(Processes, WhatExecTellsIsWhatProcShows) {
  Watch watch;
  Child child([] { execute({"/bin/sleep", "100"}); });
  child.go();
  while (watch.see(child.pid())->comm != "sleep") std::this_thread::sleep_for(std::chrono::milliseconds{2});
  const auto told = *watch.see(child.pid());
  const auto shown = *enrich::read_process("/proc", child.pid());
  ::kill(static_cast<pid_t>(child.pid()), SIGKILL);
  EXPECT_EQ(told.comm, shown.comm);
  EXPECT_EQ(told.command_line, shown.command_line);
  EXPECT_EQ(told.cgroup, shown.cgroup);
  EXPECT_EQ(told.network_namespace, shown.network_namespace);
  EXPECT_EQ(told.parent_pid, shown.parent_pid);
  EXPECT_EQ(told.uid, shown.uid);
  EXPECT_FALSE(told.exited);
}

TEST(Processes, OneInANamespaceOfItsOwn) {
  Watch watch;
  const NetworkNamespace where;
  Child child([&] { where.call([] { execute({"/bin/true"}); }); });
  child.finish();
  struct stat info {};
  ASSERT_EQ(::fstat(where.fd(), &info), 0);
  EXPECT_EQ(watch.see(child.pid())->network_namespace, info.st_ino);
}

TEST(Processes, ThreadsAreNone) {
  Watch watch;
  std::uint32_t tid = 0;
  std::thread([&] { tid = static_cast<std::uint32_t>(::gettid()); }).join();
  watch.drain();
  EXPECT_EQ(watch.table.latest(tid), nullptr);
  EXPECT_FALSE(watch.see(own_pid())->exited);
}

// The thread that main() ran in may end long before its process.
TEST(Processes, ExitIsThatOfTheLastThread) {
  Watch watch;
  int gate[2];
  ASSERT_EQ(::pipe(gate), 0);
  Child child([&] {
    ::close(gate[1]);
    std::thread([&] {
      char byte = 0;
      static_cast<void>(::read(gate[0], &byte, 1));
      ::_exit(0);
    }).detach();
    ::syscall(SYS_exit, 0);
  });
  child.go();
  const auto state = "/proc/" + std::to_string(child.pid()) + "/stat";
  while (read_file(state).find(") Z ") == std::string::npos) std::this_thread::sleep_for(std::chrono::milliseconds{2});
  EXPECT_FALSE(watch.see(child.pid())->exited);
  ::close(gate[1]);
  child.finish();
  ::close(gate[0]);
  EXPECT_TRUE(watch.see(child.pid())->exited);
}

TEST(Processes, AThreadThatExecutesIsTheProcess) {
  Watch watch;
  Child child([] { std::thread([] { execute({"/bin/true", "from a thread"}); }).join(); });
  child.finish();
  EXPECT_EQ(watch.see(child.pid())->command_line, (Words{"/bin/true", "from a thread"}));
}

TEST(Processes, AScriptIsItsInterpreter) {
  const TemporaryFile script(".sh");
  script.write("#!/bin/sh\nexit 0\n");
  std::filesystem::permissions(script.path(), std::filesystem::perms::owner_all);
  Watch watch;
  const auto pid = spawn({script.path(), "word"});
  reap(pid);
  const auto process = watch.see(static_cast<std::uint32_t>(pid));
  EXPECT_EQ(process->executable, "/bin/sh");
  EXPECT_EQ(process->command_line, (Words{"/bin/sh", script.path(), "word"}));
}

TEST(Processes, LongCommandLinesAreCutAndMarked) {
  Watch watch;
  const std::string word(300, 'x');
  const auto whole = spawn({"/bin/true", word});
  const auto cut = spawn({"/bin/true", word, word, word, word, word, word, word, "beyond"});
  reap(whole);
  reap(cut);
  EXPECT_EQ(watch.see(static_cast<std::uint32_t>(whole))->command_line, (Words{"/bin/true", word}));
  const auto& words = watch.see(static_cast<std::uint32_t>(cut))->command_line;
  ASSERT_EQ(words.size(), 8U);
  // 10 bytes of /bin/true and six words of 301 stand before the last one.
  EXPECT_EQ(words[7], word.substr(0, enrich::most_command_line - 10 - 6 * 301) + "...");
}

}  // namespace
}  // namespace sonde::test
