// SPDX-License-Identifier: Apache-2.0
#include "sensors/drops/network_namespaces.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>

#include <filesystem>
#include <thread>

namespace sonde::drops {
namespace {

namespace fs = std::filesystem;

// A scan reads a link of every process.
constexpr std::chrono::milliseconds scan_interval{500};

std::uint32_t inode_of(const char* path) {
  struct ::stat status {};
  return ::stat(path, &status) == 0 ? static_cast<std::uint32_t>(status.st_ino) : 0;
}

// What has gone meanwhile has number 0 and is not kept.
template <class Keep>
void for_each_namespace(const std::string& folder, const char* below, Keep keep) {
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    const std::string path = entry->path().string() + below;
    if (const auto inode = inode_of(path.c_str()); inode != 0) keep(inode, path);
  }
}

}  // namespace

std::uint32_t own_network_namespace() {
  static const std::uint32_t inode = inode_of("/proc/self/ns/net");
  return inode;
}

void NetworkNamespaces::look_again() {
  if (Clock::now() - looked_at_ < scan_interval) return;
  paths_.clear();
  const auto keep = [this](std::uint32_t inode, const std::string& path) { paths_.emplace(inode, path); };
  for_each_namespace("/run/netns", "", keep);
  for_each_namespace("/proc", "/ns/net", keep);
  looked_at_ = Clock::now();
}

// The process of the path may have gone or moved since it was found.
Fd NetworkNamespaces::open(std::uint32_t inode) {
  for (int attempt = 0; attempt < 2; ++attempt) {
    if (const auto found = paths_.find(inode); found != paths_.end()) {
      Fd fd(::open(found->second.c_str(), O_RDONLY | O_CLOEXEC));
      struct ::stat status {};
      if (fd && ::fstat(fd.get(), &status) == 0 && status.st_ino == inode) return fd;
    }
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

}  // namespace sonde::drops
