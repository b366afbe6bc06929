// SPDX-License-Identifier: Apache-2.0
// More processes than there is room for.
#include <gtest/gtest.h>
#include <signal.h>

#include <thread>

#include "child.hpp"

namespace sonde::test {
namespace {

std::uint32_t run_one(const std::string& word) {
  const auto pid = spawn({"/bin/true", word});
  reap(pid);
  return static_cast<std::uint32_t>(pid);
}

TEST(ManyProcesses, StayWithinTheBound) {
  Watch watch(512);
  std::vector<std::uint32_t> pids;
  for (int i = 0; i < 5000; ++i) {
    pids.push_back(run_one("number " + std::to_string(i)));
    if (i % 50 == 0) watch.drain();
    ASSERT_LE(watch.table.size(), 512U);
  }
  watch.drain();
  EXPECT_EQ(watch.lost(), 0U);
  EXPECT_GE(watch.table.evicted(), 5000U - 512U);
  for (int i = 4900; i < 5000; ++i) {
    const auto process = watch.table.latest(pids[static_cast<std::size_t>(i)]);
    ASSERT_NE(process, nullptr);
    EXPECT_EQ(process->command_line[1], "number " + std::to_string(i));
    EXPECT_TRUE(process->exited);
  }
}

TEST(ManyProcesses, WhatDoesNotFitTheRingIsCountedAndReadFromProc) {
  Watch watch;
  for (int i = 0; i < 1500; ++i) run_one("x");
  EXPECT_GT(watch.lost(), 0U);
  const auto sleeper = spawn({"/bin/sleep", "100"});
  const auto pid = static_cast<std::uint32_t>(sleeper);
  while (watch.table.latest(pid) == nullptr || watch.table.latest(pid)->comm != "sleep") {
    std::this_thread::sleep_for(std::chrono::milliseconds{5});
    watch.drain();
  }
  EXPECT_EQ(watch.table.latest(pid)->command_line[0], "/bin/sleep");
  ::kill(sleeper, SIGKILL);
  reap(sleeper);
  while (!watch.table.latest(pid)->exited) {
    std::this_thread::sleep_for(std::chrono::milliseconds{5});
    watch.drain();
  }
}

}  // namespace
}  // namespace sonde::test
