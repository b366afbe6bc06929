// SPDX-License-Identifier: Apache-2.0
#include "kernel/program.hpp"

#include <bpf/bpf.h>
#include <linux/bpf.h>

namespace sonde::kernel {

Result<void> run_on_frame(int program_fd, std::span<std::uint8_t> frame, std::uint32_t ifindex) {
  __sk_buff context{};
  context.ifindex = ifindex;
  LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame.data(), .data_out = frame.data(),
              .data_size_in = static_cast<__u32>(frame.size()), .data_size_out = static_cast<__u32>(frame.size()),
              .ctx_in = &context, .ctx_size_in = sizeof(context));
  if (::bpf_prog_test_run_opts(program_fd, &options) != 0) return fail_errno("cannot run the program on a frame");
  return {};
}

Result<std::uint64_t> missed_runs(int program_fd) {
  bpf_prog_info info{};
  __u32 size = sizeof(info);
  if (::bpf_obj_get_info_by_fd(program_fd, &info, &size) != 0) return fail_errno("cannot ask about a BPF program");
  return info.recursion_misses;
}

}  // namespace sonde::kernel
