// SPDX-License-Identifier: Apache-2.0
#include "fake_proc.hpp"

#include <stdlib.h>

#include <cstring>
#include <fstream>
#include <stdexcept>

namespace sonde::test {
namespace {

namespace fs = std::filesystem;

void write(const fs::path& file, const std::string& text) { std::ofstream(file, std::ios::binary) << text; }

std::string stat_text(const FakeProcess& process) {
  std::string text = std::to_string(process.pid) + " (" + process.comm + ") S " + std::to_string(process.parent_pid);
  for (int field = 5; field < 22; ++field) text += " " + std::to_string(1000 + field);
  return text + " " + std::to_string(process.start_ticks) + " 4096 55 0\n";
}

std::string status_text(const FakeProcess& process) {
  const auto uid = std::to_string(process.uid);
  return "Name:\t" + process.comm + "\nPPid:\t" + std::to_string(process.parent_pid) + "\nUid:\t77\t" + uid +
         "\t78\t79\nGid:\t1\t2\t3\t4\n";
}

}  // namespace

FakeProc::FakeProc() {
  std::string name = (fs::temp_directory_path() / "sonde-proc-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make " + name);
  folder_ = name;
}

FakeProc::~FakeProc() {
  std::error_code error;
  fs::remove_all(folder_, error);
}

void FakeProc::put(const FakeProcess& process) const {
  remove(process.pid);
  const auto folder = folder_ / std::to_string(process.pid);
  fs::create_directories(folder / "ns");
  write(folder / "stat", stat_text(process));
  write(folder / "status", status_text(process));
  write(folder / "cmdline", process.command_line);
  write(folder / "cgroup", process.cgroup);
  if (!process.executable.empty()) fs::create_symlink(process.executable, folder / "exe");
  fs::create_symlink("net:[" + std::to_string(process.network_namespace) + "]", folder / "ns" / "net");
}

void FakeProc::remove(std::uint32_t pid) const { fs::remove_all(folder_ / std::to_string(pid)); }

sonde_task make_task(const TaskWords& words) {
  sonde_task task{};
  task.pid = words.pid;
  task.tid = words.tid == 0 ? words.pid : words.tid;
  task.start_time_ns = words.start_time_ns;
  task.uid = words.uid;
  task.cgroup_id = words.cgroup_id;
  task.evidence = words.evidence;
  std::strncpy(task.comm, words.comm, sizeof(task.comm) - 1);
  return task;
}

}  // namespace sonde::test
