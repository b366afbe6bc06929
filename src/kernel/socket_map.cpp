// SPDX-License-Identifier: Apache-2.0
#include "kernel/socket_map.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <string>

namespace sonde::kernel {

Result<void> attach_to_socket_map(const Object& object, std::string_view program, std::string_view map) {
  bpf_program* found = object.find_program(program);
  if (found == nullptr) return fail(ErrorKind::failed, "the BPF object has no program '" + std::string(program) + "'");
  const auto map_fd = object.map_fd(map);
  if (!map_fd) return std::unexpected(map_fd.error());
  const int error = -::bpf_prog_attach(bpf_program__fd(found), *map_fd, bpf_program__expected_attach_type(found), 0);
  if (error != 0) return fail_errno(error, "cannot attach " + std::string(program) + " to " + std::string(map));
  return {};
}

Result<std::uint32_t> run_with_data(int program_fd, std::span<const std::uint8_t> data) {
  bpf_test_run_opts options{};
  options.sz = sizeof(options);
  options.data_in = data.data();
  options.data_size_in = static_cast<__u32>(data.size());
  if (::bpf_prog_test_run_opts(program_fd, &options) != 0) return fail_errno("cannot run a BPF program");
  return options.retval;
}

}  // namespace sonde::kernel
