// SPDX-License-Identifier: Apache-2.0
#include "kernel/network_namespaces.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <filesystem>
#include <set>
#include <thread>

namespace sonde::kernel {
namespace {

namespace fs = std::filesystem;

// A walk reads a link of every thread.
constexpr std::chrono::milliseconds walk_interval{500};

std::uint32_t inode_of(const char* path) {
  struct ::stat status {};
  return ::stat(path, &status) == 0 ? static_cast<std::uint32_t>(status.st_ino) : 0;
}

template <class Visit>
void for_each_entry(const std::string& folder, Visit visit) {
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error))
    visit(entry->path());
}

bool is_number(const std::string& text) { return text.find_first_not_of("0123456789") == std::string::npos; }

// Every path that may be a namespace, with its inode number: the same one many times, and in /run/netns also names that
// nothing is mounted on. A thread may have moved to another namespace than its process.
template <class Visit>
void for_each_path(Visit visit) {
  const auto look = [&](const fs::path& path) {
    if (const auto inode = inode_of(path.c_str()); inode != 0) visit(inode, path.string());
  };
  for_each_entry("/run/netns", look);
  for_each_entry("/proc", [&](const fs::path& process) {
    if (is_number(process.filename()))
      for_each_entry(process / "task", [&](const fs::path& thread) { look(thread / "ns/net"); });
  });
}

// What the path led to may have gone or moved since it was found.
Fd open_namespace(const std::string& path, std::uint32_t inode) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct ::statfs system {};
  struct ::stat status {};
  const bool good = fd && ::fstatfs(fd.get(), &system) == 0 && system.f_type == NSFS_MAGIC &&
                    ::fstat(fd.get(), &status) == 0 && status.st_ino == inode;
  return good ? std::move(fd) : Fd();
}

Result<void> work_in(const std::vector<Fd>& namespaces, const std::function<Result<void>()>& work) {
  for (const auto& where : namespaces) {
    if (::setns(where.get(), CLONE_NEWNET) != 0) return fail_errno("cannot enter a network namespace");
    auto done = work();
    if (!done) return done;
  }
  return {};
}

}  // namespace

std::vector<Fd> network_namespaces() {
  std::vector<Fd> found;
  std::set<std::uint32_t> seen;
  for_each_path([&](std::uint32_t inode, const std::string& path) {
    if (seen.contains(inode)) return;
    Fd fd = open_namespace(path, inode);
    if (!fd) return;
    seen.insert(inode);
    found.push_back(std::move(fd));
  });
  return found;
}

Result<void> in_each_namespace(const std::vector<Fd>& namespaces, const std::function<Result<void>()>& work) {
  Result<void> result;
  std::thread([&] { result = work_in(namespaces, work); }).join();
  return result;
}

std::uint32_t own_network_namespace() {
  static const std::uint32_t inode = inode_of("/proc/self/ns/net");
  return inode;
}

void NetworkNamespaces::look_again() {
  if (Clock::now() - looked_at_ < walk_interval) return;
  paths_.clear();
  for_each_path([this](std::uint32_t inode, const std::string& path) { paths_.emplace(inode, path); });
  looked_at_ = Clock::now();
}

Fd NetworkNamespaces::open(std::uint32_t inode) {
  for (int attempt = 0; attempt < 2; ++attempt) {
    if (const auto known = paths_.find(inode); known != paths_.end())
      if (Fd fd = open_namespace(known->second, inode)) return fd;
    look_again();
  }
  return {};
}

bool NetworkNamespaces::call(std::uint32_t inode, const std::function<void()>& work) {
  if (inode == 0) return false;
  if (inode == own_network_namespace()) {
    work();
    return true;
  }
  const Fd where = open(inode);
  if (!where) return false;
  bool entered = false;
  std::thread([&] {
    entered = ::setns(where.get(), CLONE_NEWNET) == 0;
    if (entered) work();
  }).join();
  return entered;
}

}  // namespace sonde::kernel
