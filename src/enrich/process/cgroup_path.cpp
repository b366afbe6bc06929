// SPDX-License-Identifier: Apache-2.0
#include "enrich/process/cgroup_path.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <fstream>
#include <sstream>

namespace sonde::enrich {
namespace {

// FILEID_KERNFS (include/linux/exportfs.h): a handle is the 64-bit id of the kernfs node.
constexpr int kernfs_handle = 0xfe;

// Fields of /proc/PID/mountinfo (proc(5)): the mount point is the fifth, the type follows a single "-".
std::string cgroup2_mount_point(const std::string& proc) {
  std::ifstream file(proc + "/self/mountinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.find(" - cgroup2 ") == std::string::npos) continue;
    std::istringstream words(line);
    std::string field;
    for (int i = 0; i < 5; ++i) words >> field;
    return field;
  }
  return {};
}

}  // namespace

CgroupPaths::CgroupPaths(const std::string& proc) : mount_point_(cgroup2_mount_point(proc)) {
  if (!mount_point_.empty()) mount_ = Fd(::open(mount_point_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

std::string CgroupPaths::path_of(std::uint64_t cgroup_id) const {
  if (!mount_ || cgroup_id == 0) return {};
  alignas(file_handle) std::array<char, sizeof(file_handle) + sizeof(cgroup_id)> memory{};
  auto* handle = reinterpret_cast<file_handle*>(memory.data());
  handle->handle_bytes = sizeof(cgroup_id);
  handle->handle_type = kernfs_handle;
  std::memcpy(memory.data() + sizeof(file_handle), &cgroup_id, sizeof(cgroup_id));
  const Fd folder(::open_by_handle_at(mount_.get(), handle, O_PATH | O_CLOEXEC));
  if (!folder) return {};
  std::array<char, 4096> target;
  const auto link = "/proc/self/fd/" + std::to_string(folder.get());
  const auto size = ::readlink(link.c_str(), target.data(), target.size());
  const std::string path(target.data(), size < 0 ? 0 : static_cast<std::size_t>(size));
  if (!path.starts_with(mount_point_)) return {};
  return path.size() == mount_point_.size() ? "/" : path.substr(mount_point_.size());
}

}  // namespace sonde::enrich
