// SPDX-License-Identifier: Apache-2.0
#include "kernel/permanent_filter.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <cerrno>

namespace sonde::kernel {
namespace {

bpf_tc_hook make_hook(std::uint32_t ifindex, TcDirection direction) {
  bpf_tc_hook hook{};
  hook.sz = sizeof(hook);
  hook.ifindex = static_cast<int>(ifindex);
  hook.attach_point = direction == TcDirection::ingress ? BPF_TC_INGRESS : BPF_TC_EGRESS;
  return hook;
}

bpf_tc_opts make_options(FilterIdentity identity) {
  bpf_tc_opts options{};
  options.sz = sizeof(options);
  options.handle = identity.handle;
  options.priority = identity.priority;
  return options;
}

}  // namespace

Result<void> set_permanent_filter(int program_fd, std::uint32_t ifindex, TcDirection direction,
                                  FilterIdentity identity) {
  auto hook = make_hook(ifindex, direction);
  const int created = bpf_tc_hook_create(&hook);
  if (created != 0 && created != -EEXIST) return fail_errno(-created, "cannot create the clsact qdisc");
  auto options = make_options(identity);
  options.prog_fd = program_fd;
  options.flags = BPF_TC_F_REPLACE;
  const int error = -bpf_tc_attach(&hook, &options);
  if (error == 0) return {};
  if (created == 0) (void)remove_clsact_if_unused(ifindex);
  return fail_errno(error, "cannot attach by clsact");
}

bool has_permanent_filter(std::uint32_t ifindex, TcDirection direction, FilterIdentity identity) {
  return has_clsact_filter(ifindex, direction, identity.handle, identity.priority);
}

Result<void> remove_permanent_filter(std::uint32_t ifindex, TcDirection direction, FilterIdentity identity) {
  if (!has_permanent_filter(ifindex, direction, identity)) return {};
  const auto hook = make_hook(ifindex, direction);
  const auto options = make_options(identity);
  const int error = -bpf_tc_detach(&hook, &options);
  // Neither the interface, nor the qdisc, nor the filter: it has gone since.
  if (error != 0 && error != ENOENT && error != EINVAL && error != ENODEV)
    return fail_errno(error, "cannot remove the clsact filter");
  if (error == 0) remove_clsact_if_unused(ifindex);
  return {};
}

}  // namespace sonde::kernel
