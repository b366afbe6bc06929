// SPDX-License-Identifier: Apache-2.0
// BPF objects that outlive their process: pinned under bpffs.
#pragma once
#include <cstdint>
#include <string>

#include "base/fd.hpp"
#include "kernel/object.hpp"
#include "sonde/result.hpp"

namespace sonde::kernel {

/// Where pins of this host go: the bpffs of the mount namespace of process 1, or of the outermost process above this
/// one that may be looked into, so that what is pinned stays when this process has a mount namespace of its own, as
/// under `ip netns exec`. Mounted if it is absent. Without a slash at the end.
[[nodiscard]] Result<std::string> find_bpffs();

/// A name must not hold a dot (kernel/bpf/inode.c).
[[nodiscard]] Result<void> pin(int fd, const std::string& path);
/// No Fd (false) where nothing is pinned.
[[nodiscard]] Result<Fd> open_pin(const std::string& path);
/// One that is not there is no error.
[[nodiscard]] Result<void> remove_pin(const std::string& path);

struct LinkFacts {
  std::uint32_t program = 0;  ///< id
  std::uint32_t ifindex = 0;  ///< 0: the interface is gone, and the link does nothing any more
};
/// Of a link to an interface (XDP, tcx).
[[nodiscard]] Result<LinkFacts> link_facts(int link_fd);
/// Exchanges the program of a link; every packet meets one of the two.
[[nodiscard]] Result<void> update_link(int link_fd, int program_fd);

/// Takes the program off its interface now. Removing the last reference to a link does it too, but some time later.
[[nodiscard]] Result<void> detach_link(int link_fd);

/// Of any map, whoever made it.
[[nodiscard]] Result<MapInfo> map_info(int map_fd);
/// Elements of a map; bytes of a ring buffer.
[[nodiscard]] Result<std::uint32_t> map_entries(int map_fd);

/// Number of the calling thread's network namespace, never used again until the host boots (SO_NETNS_COOKIE, Linux
/// 5.14).
[[nodiscard]] Result<std::uint64_t> network_namespace_cookie();

}  // namespace sonde::kernel
