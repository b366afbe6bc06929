// SPDX-License-Identifier: Apache-2.0
#include "enrich/process/proc_reader.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "fake_proc.hpp"

namespace sonde::enrich {
namespace {

using Words = std::vector<std::string>;
using namespace std::string_literals;
using test::FakeProc;

TEST(ParseStat, FindsTheNameBetweenTheOutermostParentheses) {
  const auto stat = parse_stat("7 (a) S 9 (b c) R 5 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 4711 1 2\n");
  ASSERT_TRUE(stat);
  EXPECT_EQ(stat->comm, "a) S 9 (b c");
  EXPECT_EQ(stat->parent_pid, 5U);
  EXPECT_EQ(stat->start_ticks, 4711U);
}

TEST(ParseStat, RefusesWhatIsNoStat) {
  for (const auto* text : {"", "7", "7 (a", "7 (a)", "7 (a) ", ") 7 (", "7 (a) S 1", "7 (a) S x 1 2 3 4 5 6 7"})
    EXPECT_FALSE(parse_stat(text)) << text;
}

TEST(ParseEffectiveUid, TakesTheSecond) {
  EXPECT_EQ(parse_effective_uid("Name:\tx\nUid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\n"), 2U);
  EXPECT_EQ(parse_effective_uid("Name:\tUid:\t1\n"), std::nullopt);
  EXPECT_EQ(parse_effective_uid("Name:\tx\nUid:\t1"), std::nullopt);
}

TEST(SplitCommandLine, KeepsEmptyWords) {
  EXPECT_EQ(split_command_line("a\0b c\0\0d\0"s, false), (Words{"a", "b c", "", "d"}));
  EXPECT_EQ(split_command_line("a\0\0"s, false), (Words{"a", ""}));
  EXPECT_EQ(split_command_line("", false), Words{});
  EXPECT_EQ(split_command_line("\0"s, false), Words{});
}

TEST(SplitCommandLine, DropsWhatATitleLeftBehind) {
  EXPECT_EQ(split_command_line("nginx: worker process\0\0\0\0\0"s, false), Words{"nginx: worker process"});
  EXPECT_EQ(split_command_line("postgres: writer"s, false), Words{"postgres: writer"});
}

TEST(SplitCommandLine, MarksTheCut) {
  EXPECT_EQ(split_command_line("a\0bc"s, true), (Words{"a", "bc..."}));
  EXPECT_EQ(split_command_line("a\0bc\0"s, true), (Words{"a", "bc", "..."}));
}

TEST(ReadProcess, TakesEveryFact) {
  const FakeProc proc;
  proc.put({.pid = 42,
            .start_ticks = 1234,
            .parent_pid = 41,
            .uid = 65534,
            .comm = "we (ird",
            .executable = "/opt/x y (deleted)",
            .command_line = "x\0-v\0"s,
            .cgroup = "4:memory:/batch\n0::/system.slice/x.service\n",
            .network_namespace = 4026532999});
  const auto process = read_process(proc.path(), 42);
  ASSERT_TRUE(process);
  EXPECT_EQ(process->pid, 42U);
  EXPECT_EQ(process->parent_pid, 41U);
  EXPECT_EQ(process->start_time_ns, 12'340'000'000U);
  EXPECT_EQ(process->uid, 65534U);
  EXPECT_EQ(process->comm, "we (ird");
  EXPECT_EQ(process->executable, "/opt/x y");
  EXPECT_EQ(process->command_line, (Words{"x", "-v"}));
  EXPECT_EQ(process->cgroup, "/system.slice/x.service");
  EXPECT_EQ(process->network_namespace, 4026532999U);
  ASSERT_TRUE(process->container);
  EXPECT_EQ(process->container->id, "x.service");
  EXPECT_FALSE(read_process(proc.path(), 43));
}

TEST(ReadProcess, CutsALongCommandLine) {
  const FakeProc proc;
  proc.put({.pid = 1, .start_ticks = 1, .command_line = std::string(most_command_line - 1, 'a') + "\0"s});
  proc.put({.pid = 2, .start_ticks = 1, .command_line = std::string(most_command_line, 'a') + "\0"s});
  EXPECT_EQ(read_process(proc.path(), 1)->command_line, Words{std::string(most_command_line - 1, 'a')});
  EXPECT_EQ(read_process(proc.path(), 2)->command_line, Words{std::string(most_command_line, 'a') + "..."});
}

TEST(ReadProcess, KnowsAKernelThread) {
  const FakeProc proc;
  proc.put({.pid = 2, .start_ticks = 5, .comm = "kthreadd", .executable = "", .command_line = ""});
  const auto process = read_process(proc.path(), 2);
  ASSERT_TRUE(process);
  EXPECT_EQ(process->executable, "");
  EXPECT_EQ(process->command_line, Words{});
}

TEST(ReadProcess, KnowsItself) {
  const auto process = read_process("/proc", static_cast<std::uint32_t>(::getpid()));
  ASSERT_TRUE(process);
  EXPECT_EQ(process->uid, ::geteuid());
  EXPECT_EQ(process->parent_pid, static_cast<std::uint32_t>(::getppid()));
  EXPECT_TRUE(process->executable.ends_with("/enrich_test")) << process->executable;
  const auto pids = list_processes("/proc");
  EXPECT_NE(std::ranges::find(pids, process->pid), pids.end());
}

}  // namespace
}  // namespace sonde::enrich
