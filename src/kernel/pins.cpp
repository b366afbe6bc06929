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

namespace sonde::kernel {
namespace {

constexpr const char* own_path = "/sys/fs/bpf";
constexpr const char* first_process_path = "/proc/1/root/sys/fs/bpf";
constexpr int socket_netns_cookie = 71;  // SO_NETNS_COOKIE, include/uapi/asm-generic/socket.h

bool is_bpffs(const char* path) {
  struct statfs facts {};
  return ::statfs(path, &facts) == 0 && facts.f_type == BPF_FS_MAGIC;
}

bool same_mount_namespace() {
  struct ::stat own {};
  struct ::stat first {};
  return ::stat("/proc/self/ns/mnt", &own) == 0 && ::stat("/proc/1/ns/mnt", &first) == 0 && own.st_ino == first.st_ino;
}

int mount_here() {
  return ::mount("bpf", own_path, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") == 0 ? 0 : errno;
}

// A thread that shares its file system state may not change its mount namespace, so a child does. Gives errno.
int mount_at_first_process() {
  const Fd namespace_fd(::open("/proc/1/ns/mnt", O_RDONLY | O_CLOEXEC));
  if (!namespace_fd) return errno;
  const pid_t child = ::fork();
  if (child < 0) return errno;
  if (child == 0) ::_exit(::setns(namespace_fd.get(), CLONE_NEWNS) == 0 ? mount_here() : errno);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0)
    if (errno != EINTR) return errno;
  return WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
}

}  // namespace

Result<std::string> find_bpffs() {
  if (same_mount_namespace()) {
    if (is_bpffs(own_path)) return own_path;
  } else if (is_bpffs(first_process_path)) {
    return first_process_path;
  } else if (mount_at_first_process() == 0 && is_bpffs(first_process_path)) {
    return first_process_path;
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

Result<std::uint32_t> map_entries(int map_fd) {
  bpf_map_info info{};
  std::uint32_t size = sizeof(info);
  if (bpf_obj_get_info_by_fd(map_fd, &info, &size) != 0) return fail_errno("cannot ask about a BPF map");
  return info.max_entries;
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
