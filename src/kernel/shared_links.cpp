// SPDX-License-Identifier: Apache-2.0
#include "kernel/shared_links.hpp"

#include <bpf/bpf.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>

#include "kernel/mounts.hpp"

namespace sonde::kernel {
namespace {

constexpr std::size_t most_maps = 64;  // that a program of ours uses

std::string kernel_name(const std::string& name) { return name.substr(0, BPF_OBJ_NAME_LEN - 1); }

bool has_shape(int map, const MapShape& shape, std::uint32_t& id) {
  bpf_map_info info{};
  std::uint32_t size = sizeof(info);
  if (bpf_obj_get_info_by_fd(map, &info, &size) != 0) return false;
  id = info.id;
  return kernel_name(shape.name) == info.name && info.type == shape.type && info.value_size == shape.value_size;
}

// 0: the root cannot be told. The number of a cgroup is its inode's.
std::uint64_t cgroup_root() {
  const auto root = open_cgroup_root();
  struct ::stat status {};
  return root && ::fstat(root->get(), &status) == 0 ? status.st_ino : 0;
}

// 0: none, or of a cgroup that is not `root`.
std::uint32_t program_of(int link, std::uint64_t root) {
  bpf_link_info info{};
  std::uint32_t size = sizeof(info);
  if (bpf_obj_get_info_by_fd(link, &info, &size) != 0) return 0;
  return info.type == BPF_LINK_TYPE_CGROUP && info.cgroup.cgroup_id != root ? 0 : info.prog_id;
}

// Name of a program that uses the map; "" if it does not.
std::string name_of_user(std::uint32_t program, std::uint32_t map) {
  const Fd fd(bpf_prog_get_fd_by_id(program));
  std::array<std::uint32_t, most_maps> maps{};
  bpf_prog_info info{};
  info.nr_map_ids = maps.size();
  info.map_ids = reinterpret_cast<std::uintptr_t>(maps.data());
  std::uint32_t size = sizeof(info);
  if (!fd || bpf_obj_get_info_by_fd(fd.get(), &info, &size) != 0) return {};
  const auto* end = maps.begin() + std::min<std::size_t>(info.nr_map_ids, maps.size());
  return std::find(maps.cbegin(), end, map) == end ? std::string() : std::string(info.name);
}

// Takes the links out of `wanted` that it has found.
std::vector<Fd> links_using(std::uint32_t map, std::vector<std::string>& wanted) {
  const auto root = cgroup_root();
  std::vector<Fd> found;
  std::uint32_t id = 0;
  while (!wanted.empty() && bpf_link_get_next_id(id, &id) == 0) {
    Fd link(bpf_link_get_fd_by_id(id));
    if (!link) continue;
    const auto name = name_of_user(program_of(link.get(), root), map);
    const auto place = std::ranges::find(wanted, name);
    if (name.empty() || place == wanted.end()) continue;
    wanted.erase(place);
    found.push_back(std::move(link));
  }
  return found;
}

}  // namespace

Result<SharedLinks> find_shared_links(const MapShape& shape, const std::vector<std::string>& programs) {
  std::vector<std::string> names;
  names.reserve(programs.size());
  for (const auto& program : programs) names.push_back(kernel_name(program));
  std::uint32_t next = 0;
  while (bpf_map_get_next_id(next, &next) == 0) {
    Fd map(bpf_map_get_fd_by_id(next));
    std::uint32_t id = 0;
    if (!map || !has_shape(map.get(), shape, id)) continue;
    auto wanted = names;
    auto links = links_using(id, wanted);
    if (wanted.empty()) return SharedLinks{std::move(map), std::move(links)};
  }
  return fail(ErrorKind::failed, "no other process has attached these programs");
}

}  // namespace sonde::kernel
