// SPDX-License-Identifier: Apache-2.0
#include "actuators/guard/directory.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "actuators/guard/hooks.hpp"
#include "kernel/pins.hpp"

namespace sonde::guard {
namespace {

namespace fs = std::filesystem;

constexpr const char* below_bpffs = "/sonde/guard";

std::string parent_of(const std::string& path) { return fs::path(path).parent_path(); }

Result<void> make_directories(const std::string& path) {
  // Somebody else's detach may remove a parent between the two calls.
  for (int attempt = 0; attempt < 100; ++attempt) {
    for (const auto& folder : {parent_of(parent_of(path)), parent_of(path), path})
      if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST && errno != ENOENT)
        return fail_errno("cannot make the directory " + folder);
    if (fs::is_directory(path)) return {};
  }
  return fail(ErrorKind::failed, "cannot make the directory " + path);
}

bool is_still(const Fd& fd, const std::string& path) {
  struct ::stat own {};
  struct ::stat named {};
  return ::fstat(fd.get(), &own) == 0 && ::stat(path.c_str(), &named) == 0 && own.st_ino == named.st_ino;
}

}  // namespace

Result<std::string> find_directory() {
  auto bpffs = kernel::find_bpffs();
  if (!bpffs) return bpffs;
  const auto cookie = kernel::network_namespace_cookie();
  if (!cookie) return std::unexpected(cookie.error());
  return *bpffs + below_bpffs + "/netns-" + std::to_string(*cookie);
}

Result<Fd> lock_directory(const std::string& path, bool make) {
  for (;;) {
    if (make)
      if (auto made = make_directories(path); !made) return std::unexpected(made.error());
    Fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd && errno == ENOENT && make) continue;
    if (!fd && errno == ENOENT) return Fd();
    if (!fd) return fail_errno("cannot open " + path);
    while (::flock(fd.get(), LOCK_EX) != 0)
      if (errno != EINTR) return fail_errno("cannot lock " + path);
    // Who held it may have removed it.
    if (is_still(fd, path)) return fd;
  }
}

std::vector<std::string> names_in(const std::string& path) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator entry(path, error), end; !error && entry != end; entry.increment(error))
    names.push_back(entry->path().filename());
  std::ranges::sort(names);
  return names;
}

Result<void> remove_pins(const std::string& path) {
  for (const auto& name : names_in(path)) {
    std::error_code error;
    fs::remove(path + "/" + name, error);
    if (error) return fail_errno(error.value(), "cannot remove " + path + "/" + name);
  }
  return {};
}

Result<void> remove_directory(const std::string& path) {
  if (auto removed = remove_pins(path); !removed) return removed;
  if (::rmdir(path.c_str()) != 0 && errno != ENOENT) return fail_errno("cannot remove " + path);
  for (const auto& folder : {parent_of(path), parent_of(parent_of(path))})
    if (::rmdir(folder.c_str()) != 0) break;  // other namespaces have a guard, other programs have pins
  return {};
}

void remove_abandoned(const std::string& own) {
  const auto parent = parent_of(own);
  for (const auto& name : names_in(parent)) {
    const auto path = parent + "/" + name;
    if (path == own || !name.starts_with("netns-")) continue;
    const Fd lock(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!lock || ::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) continue;
    if (is_still(lock, path) && all_links_gone(path)) (void)remove_directory(path);
  }
}

}  // namespace sonde::guard
