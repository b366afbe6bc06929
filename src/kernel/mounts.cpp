// SPDX-License-Identifier: Apache-2.0
#include "kernel/mounts.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

namespace sonde::kernel {
namespace {

bool is_cgroup2(int fd) {
  struct statfs facts {};
  return ::fstatfs(fd, &facts) == 0 && facts.f_type == CGROUP2_SUPER_MAGIC;
}

// A detached mount (fsmount(2), Linux 5.2). In a cgroup namespace its root is that of the namespace, so of the
// container.
Result<Fd> mount_detached() {
  const Fd context(static_cast<int>(::syscall(SYS_fsopen, "cgroup2", FSOPEN_CLOEXEC)));
  if (!context) return fail_errno("cannot open the cgroup v2 file system");
  if (::syscall(SYS_fsconfig, context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0)
    return fail_errno("cannot set up the cgroup v2 file system");
  Fd mount(static_cast<int>(::syscall(SYS_fsmount, context.get(), FSMOUNT_CLOEXEC, 0)));
  if (!mount) return fail_errno("cannot mount the cgroup v2 file system");
  Fd root(::openat(mount.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root) return fail_errno("cannot open the root of the cgroup v2 file system");
  return root;
}

}  // namespace

Result<Fd> open_cgroup_root() {
  for (const char* path : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}) {
    Fd root(::open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (root && is_cgroup2(root.get())) return root;
  }
  return mount_detached();
}

}  // namespace sonde::kernel
