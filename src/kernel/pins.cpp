// SPDX-License-Identifier: Apache-2.0
#include "kernel/pins.hpp"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>

namespace sonde::kernel {
namespace {

constexpr const char* own_path = "/sys/fs/bpf";
constexpr int socket_netns_cookie = 71;  // SO_NETNS_COOKIE, include/uapi/asm-generic/socket.h

bool is_bpffs(const std::string& path) {
  struct statfs facts {};
  return ::statfs(path.c_str(), &facts) == 0 && facts.f_type == BPF_FS_MAGIC;
}

// 0: it may not be looked at.
std::uint64_t mount_namespace_of(const std::string& process) {
  struct ::stat status {};
  return ::stat(("/proc/" + process + "/ns/mnt").c_str(), &status) == 0 ? status.st_ino : 0;
}

// "12 (name) S 1 ..."; the name may hold parentheses and blanks.
std::string parent_of(const std::string& process) {
  std::ifstream file("/proc/" + process + "/stat");
  std::string text;
  std::getline(file, text);
  const auto name_end = text.rfind(") ");
  if (name_end == std::string::npos || name_end + 4 > text.size()) return {};
  const auto start = name_end + 4;
  return text.substr(start, text.find(' ', start) - start);
}

// Process 1, or the process nearest to it above this one, whose file system may be looked into; "": there is none.
std::string outermost_process() {
  if (mount_namespace_of("1") != 0) return "1";
  constexpr int most_ancestors = 64;
  std::string outermost;
  auto process = parent_of("self");
  for (int i = 0; i < most_ancestors && !process.empty() && process != "0"; ++i) {
    if (mount_namespace_of(process) != 0) outermost = process;
    process = parent_of(process);
  }
  return outermost;
}

int mount_here() {
  return ::mount("bpf", own_path, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") == 0 ? 0 : errno;
}

// A thread that shares its file system state may not change its mount namespace, so a child does.
bool mount_at(const std::string& process) {
  const Fd namespace_fd(::open(("/proc/" + process + "/ns/mnt").c_str(), O_RDONLY | O_CLOEXEC));
  if (!namespace_fd) return false;
  const pid_t child = ::fork();
  if (child < 0) return false;
  if (child == 0) ::_exit(::setns(namespace_fd.get(), CLONE_NEWNS) == 0 ? mount_here() : errno);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0)
    if (errno != EINTR) return false;
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace

Result<std::string> find_bpffs() {
  const auto outermost = outermost_process();
  if (!outermost.empty() && mount_namespace_of(outermost) != mount_namespace_of("self")) {
    const auto path = "/proc/" + outermost + "/root" + own_path;
    if (is_bpffs(path) || (mount_at(outermost) && is_bpffs(path))) return path;
  }
  if (is_bpffs(own_path)) return own_path;
  const int error = mount_here();
  if (error != 0)
    return fail_errno(error, "cannot mount the BPF file system at /sys/fs/bpf", "mount -t bpf bpf /sys/fs/bpf");
  return own_path;
}

Result<void> pin(int fd, const std::string& path) {
  if (bpf_obj_pin(fd, path.c_str()) != 0) return fail_errno("cannot pin " + path);
  return {};
}

Result<Fd> open_pin(const std::string& path) {
  const int fd = bpf_obj_get(path.c_str());
  if (fd >= 0) return Fd(fd);
  if (errno == ENOENT) return Fd();
  return fail_errno("cannot open the pin " + path);
}

Result<void> remove_pin(const std::string& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return fail_errno("cannot remove the pin " + path);
  return {};
}

Result<LinkFacts> link_facts(int link_fd) {
  bpf_link_info info{};
  std::uint32_t size = sizeof(info);
  if (bpf_obj_get_info_by_fd(link_fd, &info, &size) != 0) return fail_errno("cannot ask about a BPF link");
  // That of tcx, which Debian 12's header does not know, begins with the interface like that of XDP.
  return LinkFacts{info.prog_id, info.xdp.ifindex};
}

Result<void> update_link(int link_fd, int program_fd) {
  if (bpf_link_update(link_fd, program_fd, nullptr) != 0)
    return fail_errno("cannot exchange the program of a BPF link");
  return {};
}

Result<void> detach_link(int link_fd) {
  if (bpf_link_detach(link_fd) != 0) return fail_errno("cannot detach a BPF link");
  return {};
}

Result<MapInfo> map_info(int map_fd) {
  bpf_map_info info{};
  std::uint32_t size = sizeof(info);
  if (bpf_obj_get_info_by_fd(map_fd, &info, &size) != 0) return fail_errno("cannot ask about a BPF map");
  return MapInfo{map_fd, info.type, info.key_size, info.value_size, info.max_entries};
}

Result<std::uint32_t> map_entries(int map_fd) {
  const auto info = map_info(map_fd);
  if (!info) return std::unexpected(info.error());
  return info->max_entries;
}

Result<std::uint64_t> network_namespace_cookie() {
  const Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket) return fail_errno("cannot open a socket");
  std::uint64_t cookie = 0;
  socklen_t size = sizeof(cookie);
  if (::getsockopt(socket.get(), SOL_SOCKET, socket_netns_cookie, &cookie, &size) != 0)
    return fail_errno("cannot ask for the number of the network namespace", "it needs Linux 5.14");
  return cookie;
}

}  // namespace sonde::kernel
