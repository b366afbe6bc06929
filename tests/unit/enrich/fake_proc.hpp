// SPDX-License-Identifier: Apache-2.0
// A folder that looks like /proc.
#pragma once
#include <sonde/abi/owner.h>

#include <cstdint>
#include <filesystem>
#include <string>

namespace sonde::test {

struct FakeProcess {
  std::uint32_t pid = 0;
  std::uint64_t start_ticks = 0;
  std::uint32_t parent_pid = 1;
  std::uint32_t uid = 0;
  std::string comm = "sleep";
  std::string executable = "/usr/bin/sleep";
  std::string command_line = {"sleep\0", 6};
  std::string cgroup = "0::/\n";
  std::uint32_t network_namespace = 4026531840;
};

class FakeProc {
 public:
  FakeProc();
  FakeProc(const FakeProc&) = delete;
  FakeProc& operator=(const FakeProc&) = delete;
  ~FakeProc();

  [[nodiscard]] std::string path() const { return folder_.string(); }
  /// Puts a process there, in place of the one with its number.
  void put(const FakeProcess& process) const;
  void remove(std::uint32_t pid) const;

 private:
  std::filesystem::path folder_;
};

/// The record of a task that sent; the leader if tid is 0.
struct TaskWords {
  std::uint32_t pid = 0;
  std::uint64_t start_time_ns = 0;
  std::uint32_t uid = 0;
  const char* comm = "sleep";
  std::uint32_t tid = 0;
  std::uint64_t cgroup_id = 1;
  sonde_owner_evidence evidence = SONDE_OWNER_SENT;
};
sonde_task make_task(const TaskWords& words);

}  // namespace sonde::test
