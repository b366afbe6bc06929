// SPDX-License-Identifier: Apache-2.0
#include "enrich/process/process_table.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "enrich/process/proc_reader.hpp"
#include "fake_proc.hpp"

namespace sonde::enrich {
namespace {

using test::FakeProc;
using test::make_task;
using Words = std::vector<std::string>;

// A start time between two ticks, as the kernel's events have it.
std::uint64_t start(std::uint64_t ticks, std::uint64_t rest = 1'234'567) { return ticks * ns_per_tick + rest; }

class Table : public testing::Test {
 protected:
  FakeProc proc;
  ProcessTable table{proc.path(), 8, ""};

  static ExecFacts exec_of(std::uint32_t pid, std::uint64_t ticks) {
    return {.process = {start(ticks), pid},
            .parent_pid = 9,
            .uid = 0,
            .comm = "curl",
            .executable = "/usr/bin/curl",
            .command_line = {"curl", "-s", "http://192.0.2.1"},
            .cgroup_name = "/system.slice/cron.service",
            .cgroup_v1_name = "",
            .network_namespace = 4026531840};
  }
};

TEST_F(Table, ReadsAnUnknownProcessFromProc) {
  proc.put({.pid = 42, .start_ticks = 100, .comm = "sleep"});
  const auto process = table.find(make_task({.pid = 42, .start_time_ns = start(100)}));
  EXPECT_EQ(process->executable, "/usr/bin/sleep");
  EXPECT_EQ(process->user, "root");
  EXPECT_EQ(process->start_time_ns, start(100));
  EXPECT_FALSE(process->exited);
}

TEST_F(Table, DoesNotReadAKnownProcessAgain) {
  proc.put({.pid = 42, .start_ticks = 100});
  const auto task = make_task({.pid = 42, .start_time_ns = start(100)});
  const auto first = table.find(task);
  proc.remove(42);
  EXPECT_EQ(table.find(task), first);
  EXPECT_EQ(table.find(make_task({.pid = 42, .start_time_ns = start(100), .comm = "worker", .tid = 43}))->comm,
            "sleep");
}

TEST_F(Table, DoesNotTakeAReusedPidForTheOldProcess) {
  proc.put({.pid = 42, .start_ticks = 200, .comm = "other"});
  const auto old = table.find(make_task({.pid = 42, .start_time_ns = start(100), .uid = 1, .comm = "gone"}));
  EXPECT_EQ(old->comm, "gone");
  EXPECT_EQ(old->uid, 1U);
  EXPECT_EQ(old->executable, "");
  EXPECT_TRUE(old->exited);
  const auto now = table.find(make_task({.pid = 42, .start_time_ns = start(200), .comm = "other"}));
  EXPECT_EQ(now->comm, "other");
  EXPECT_EQ(table.find(make_task({.pid = 42, .start_time_ns = start(100), .uid = 1, .comm = "gone"})), old);
  EXPECT_EQ(table.size(), 2U);
}

TEST_F(Table, TellsProcessesOfOneTickApart) {
  table.executed(exec_of(42, 100));
  table.exited({start(100), 42});
  const auto later = table.find(make_task({.pid = 42, .start_time_ns = start(100, 2'000'000), .comm = "next"}));
  EXPECT_EQ(later->comm, "next");
}

TEST_F(Table, KnowsWhatExecToldOfAProcessThatIsGone) {
  table.executed(exec_of(42, 100));
  table.exited({start(100), 42});
  const auto process = table.find(make_task({.pid = 42, .start_time_ns = start(100), .comm = "curl"}));
  EXPECT_EQ(process->command_line, (Words{"curl", "-s", "http://192.0.2.1"}));
  EXPECT_EQ(process->parent_pid, 9U);
  EXPECT_EQ(process->network_namespace, 4026531840U);
  EXPECT_TRUE(process->exited);
  ASSERT_TRUE(process->container);
  EXPECT_EQ(process->container->id, "cron.service");
}

TEST_F(Table, KeepsWhatExecToldOfAZombie) {
  table.executed(exec_of(42, 100));
  proc.put({.pid = 42, .start_ticks = 100, .comm = "curl", .executable = "", .command_line = ""});
  const auto process = table.find(make_task({.pid = 42, .start_time_ns = start(100), .comm = "curl"}));
  EXPECT_EQ(process->executable, "/usr/bin/curl");
  EXPECT_EQ(process->command_line.size(), 3U);
}

TEST_F(Table, AChildIsACopyOfItsParent) {
  table.executed(exec_of(42, 100));
  table.forked({start(101), 43}, {start(100), 42});
  table.exited({start(101), 43});
  const auto child = table.find(make_task({.pid = 43, .start_time_ns = start(101), .comm = "curl"}));
  EXPECT_EQ(child->pid, 43U);
  EXPECT_EQ(child->parent_pid, 42U);
  EXPECT_EQ(child->start_time_ns, start(101));
  EXPECT_EQ(child->command_line.size(), 3U);
  EXPECT_TRUE(child->exited);
  EXPECT_GT(child->start_wall_ns, table.find(make_task({.pid = 42, .start_time_ns = start(100)}))->start_wall_ns);
}

TEST_F(Table, AChildThatSawAnotherUserIsItself) {
  table.executed(exec_of(42, 100));
  table.forked({start(101), 43}, {start(100), 42});
  table.exited({start(101), 43});
  const auto child = table.find(make_task({.pid = 43, .start_time_ns = start(101), .uid = 65534, .comm = "worker"}));
  EXPECT_EQ(child->uid, 65534U);
  EXPECT_EQ(child->user, "nobody");
  EXPECT_EQ(child->comm, "worker");
}

TEST_F(Table, ReadsTheParentThatIsNotKnownYet) {
  proc.put({.pid = 42, .start_ticks = 100, .comm = "daemon", .executable = "/usr/sbin/daemon"});
  table.forked({start(101), 43}, {start(100), 42}, 1);
  table.exited({start(101), 43});
  const auto child = table.find(make_task({.pid = 43, .start_time_ns = start(101), .comm = "daemon"}));
  EXPECT_EQ(child->executable, "/usr/sbin/daemon");
  EXPECT_EQ(child->parent_pid, 1U);
}

TEST_F(Table, AForkThatIsToldLateChangesNothing) {
  proc.put({.pid = 43, .start_ticks = 101, .comm = "sleep"});
  table.executed(exec_of(42, 100));
  const auto task = make_task({.pid = 43, .start_time_ns = start(101)});
  const auto before = table.find(task);
  table.forked({start(101), 43}, {start(100), 42});
  EXPECT_EQ(table.find(task), before);
}

TEST_F(Table, ExecMakesAnotherProgram) {
  proc.put({.pid = 42, .start_ticks = 100, .comm = "sh", .executable = "/usr/bin/dash"});
  const auto shell = table.find(make_task({.pid = 42, .start_time_ns = start(100), .comm = "sh"}));
  table.executed(exec_of(42, 100));
  proc.put({.pid = 42, .start_ticks = 100, .comm = "curl", .executable = "/usr/bin/curl"});
  EXPECT_EQ(table.find(make_task({.pid = 42, .start_time_ns = start(100), .comm = "curl"}))->executable,
            "/usr/bin/curl");
  EXPECT_EQ(shell->executable, "/usr/bin/dash");
}

TEST_F(Table, SeesAChangeOfUserWithoutExec) {
  proc.put({.pid = 42, .start_ticks = 100, .uid = 0});
  const auto as_root = make_task({.pid = 42, .start_time_ns = start(100), .uid = 0});
  const auto as_nobody = make_task({.pid = 42, .start_time_ns = start(100), .uid = 65534});
  EXPECT_EQ(table.find(as_root)->user, "root");
  proc.put({.pid = 42, .start_ticks = 100, .uid = 65534});
  EXPECT_EQ(table.find(as_nobody)->user, "nobody");
  // A record from before the change does not turn it back.
  EXPECT_EQ(table.find(as_root)->user, "nobody");
}

TEST_F(Table, ForgetsTheLongestExitedFirst) {
  for (std::uint32_t pid = 1; pid <= 8; ++pid) table.executed(exec_of(pid, pid));
  table.exited({start(5), 5});
  table.exited({start(3), 3});
  table.exited({start(5), 5});
  table.executed(exec_of(9, 9));
  EXPECT_EQ(table.latest(5), nullptr);
  EXPECT_NE(table.latest(3), nullptr);
  table.executed(exec_of(10, 10));
  EXPECT_EQ(table.size(), 8U);
  EXPECT_EQ(table.evicted(), 2U);
  const auto known = [&](std::uint32_t pid) {
    return !table.find(make_task({.pid = pid, .start_time_ns = start(pid)}))->command_line.empty();
  };
  for (const std::uint32_t pid : {1, 2, 4, 6, 7, 8, 9, 10}) EXPECT_TRUE(known(pid)) << pid;
  EXPECT_FALSE(known(3));
}

TEST_F(Table, StaysWithinItsBound) {
  for (std::uint32_t pid = 1; pid <= 5000; ++pid) {
    table.forked({start(pid), pid}, {start(pid - 1), pid - 1});
    table.executed(exec_of(pid, pid));
    if (pid % 3 != 0) table.exited({start(pid), pid});
    ASSERT_LE(table.size(), 8U);
  }
  EXPECT_EQ(table.evicted(), 5000U - 8U);
}

TEST_F(Table, ScanTakesAllAndMarksTheGone) {
  proc.put({.pid = 42, .start_ticks = 100, .comm = "a"});
  proc.put({.pid = 43, .start_ticks = 101, .comm = "b"});
  table.scan();
  EXPECT_EQ(table.size(), 2U);
  proc.remove(42);
  proc.put({.pid = 43, .start_ticks = 102, .comm = "c"});
  table.scan();
  EXPECT_EQ(table.size(), 3U);
  EXPECT_TRUE(table.find(make_task({.pid = 42, .start_time_ns = start(100), .comm = "a"}))->exited);
  EXPECT_TRUE(table.find(make_task({.pid = 43, .start_time_ns = start(101), .comm = "b"}))->exited);
  EXPECT_FALSE(table.find(make_task({.pid = 43, .start_time_ns = start(102), .comm = "c"}))->exited);
}

TEST_F(Table, NamesTheContainerThatExecTold) {
  const std::string id(64, 'a');
  auto facts = exec_of(42, 100);
  facts.cgroup_name = "/";
  facts.cgroup_v1_name = "docker/" + id;
  table.executed(facts);
  table.exited({start(100), 42});
  const auto process = table.find(make_task({.pid = 42, .start_time_ns = start(100), .comm = "curl"}));
  ASSERT_TRUE(process->container);
  EXPECT_EQ(process->container->id, id);
  EXPECT_EQ(process->cgroup, "docker/" + id);
}

std::int64_t wall_now() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

// `ps -o lstart` is the oracle for whole seconds.
TEST(StartTime, IsWallTime) {
  ProcessTable real;
  const auto pid = static_cast<std::uint32_t>(::getpid());
  const auto ticks = read_start_ticks("/proc", pid);
  ASSERT_TRUE(ticks);
  const auto process = real.find(make_task({.pid = pid, .start_time_ns = start(*ticks, 0), .uid = ::geteuid()}));
  EXPECT_LE(process->start_wall_ns, wall_now());
  EXPECT_GE(process->start_wall_ns, wall_now() - 60'000'000'000);
  EXPECT_EQ(process->user.empty(), false);
}

}  // namespace
}  // namespace sonde::enrich
