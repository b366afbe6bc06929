// SPDX-License-Identifier: Apache-2.0
#include "actuators/proxy/process/created.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <mutex>
#include <vector>

namespace sonde::proxy {
namespace {

std::mutex mutex;                  // NOLINT(cppcoreguidelines-avoid-non-const-global-variables)
std::vector<std::string> created;  // NOLINT(cppcoreguidelines-avoid-non-const-global-variables)

Result<Fd> open_or_create(const std::string& path, int flags) {
  flags |= O_CLOEXEC | O_NOCTTY;
  Fd file(::open(path.c_str(), flags | O_CREAT | O_EXCL, 0640));
  if (file) {
    remember_created(path);
    return file;
  }
  if (errno == EEXIST) file.reset(::open(path.c_str(), flags));
  if (!file) return fail_errno(path);
  return file;
}

}  // namespace

// Only root gives things away, and only what it made before it became somebody else.
void remember_created(const std::string& path) {
  if (::geteuid() != 0) return;
  const std::lock_guard lock(mutex);
  created.push_back(path);
}

Result<void> create_folders_above(const std::string& path) {
  std::filesystem::path folder = std::filesystem::path(path).parent_path();
  std::vector<std::filesystem::path> missing;
  std::error_code ignored;
  for (; !folder.empty() && !std::filesystem::exists(folder, ignored); folder = folder.parent_path())
    missing.push_back(folder);
  for (auto made = missing.rbegin(); made != missing.rend(); ++made) {
    if (::mkdir(made->c_str(), 0755) != 0 && errno != EEXIST) return fail_errno(made->string());
    remember_created(made->string());
  }
  return {};
}

Result<Fd> open_to_append(const std::string& path) { return open_or_create(path, O_WRONLY | O_APPEND); }
Result<Fd> open_to_rewrite(const std::string& path) { return open_or_create(path, O_RDWR); }

void give_created_to(uid_t user, gid_t group) {
  const std::lock_guard lock(mutex);
  for (const std::string& path : created) {
    [[maybe_unused]] const int given = ::lchown(path.c_str(), user, group);
  }
  created.clear();
}

}  // namespace sonde::proxy
