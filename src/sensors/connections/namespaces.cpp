// SPDX-License-Identifier: Apache-2.0
#include "sensors/connections/namespaces.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <filesystem>
#include <set>
#include <string>
#include <thread>

namespace sonde::connections {
namespace {

namespace fs = std::filesystem;

class Collector {
 public:
  // Left out: a process that has gone meanwhile, a name in /run/netns that nothing is mounted on.
  void add(const std::string& path) {
    struct ::stat status {};
    if (::stat(path.c_str(), &status) != 0 || seen_.contains(status.st_ino)) return;
    Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    struct ::statfs system {};
    if (!fd || ::fstatfs(fd.get(), &system) != 0 || system.f_type != NSFS_MAGIC) return;
    if (::fstat(fd.get(), &status) != 0 || !seen_.insert(status.st_ino).second) return;
    found_.push_back(std::move(fd));
  }

  std::vector<Fd> take() { return std::move(found_); }

 private:
  std::set<ino_t> seen_;
  std::vector<Fd> found_;
};

template <class Visit>
void for_each_entry(const std::string& folder, Visit visit) {
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error))
    visit(entry->path());
}

bool is_number(const std::string& text) { return text.find_first_not_of("0123456789") == std::string::npos; }

// A thread may have moved to another namespace than its process.
void add_threads(Collector& collector, const fs::path& process) {
  if (!is_number(process.filename())) return;
  for_each_entry(process / "task", [&](const fs::path& thread) { collector.add(thread / "ns/net"); });
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
  Collector collector;
  for_each_entry("/proc", [&](const fs::path& process) { add_threads(collector, process); });
  for_each_entry("/run/netns", [&](const fs::path& name) { collector.add(name); });
  return collector.take();
}

Result<void> in_each_namespace(const std::vector<Fd>& namespaces, const std::function<Result<void>()>& work) {
  Result<void> result;
  std::thread([&] { result = work_in(namespaces, work); }).join();
  return result;
}

}  // namespace sonde::connections
