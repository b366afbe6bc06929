// SPDX-License-Identifier: Apache-2.0
#include "kernel/maps.hpp"

#include <bpf/bpf.h>

#include <cerrno>

namespace sonde::kernel {

Result<Fd> create_map(const std::string& name, const MapShape& shape) {
  bpf_map_create_opts options{};
  options.sz = sizeof(options);
  options.map_flags = shape.flags;
  const auto kept = name.substr(0, BPF_OBJ_NAME_LEN - 1);
  const int fd = bpf_map_create(static_cast<bpf_map_type>(shape.type), kept.c_str(), shape.key_size, shape.value_size,
                                shape.max_entries, &options);
  if (fd < 0)
    return fail_errno("cannot create the BPF map " + name, errno == EPERM ? "BPF needs root, or CAP_BPF" : "");
  return Fd(fd);
}

Result<MapShape> map_shape(int map_fd) {
  bpf_map_info info{};
  std::uint32_t size = sizeof(info);
  if (bpf_obj_get_info_by_fd(map_fd, &info, &size) != 0) return fail_errno("cannot ask about a BPF map");
  return MapShape{info.type, info.key_size, info.value_size, info.max_entries, info.map_flags};
}

}  // namespace sonde::kernel
