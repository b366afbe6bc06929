// SPDX-License-Identifier: Apache-2.0
#include "kernel/attach.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>

namespace sonde::kernel {
namespace {

// Linux 6.6, include/uapi/linux/bpf.h; Debian 12's header is older.
constexpr auto attach_tcx_ingress = static_cast<bpf_attach_type>(46);
constexpr auto attach_tcx_egress = static_cast<bpf_attach_type>(47);
constexpr std::uint32_t flag_before = 1U << 3;  // BPF_F_BEFORE; without a program to be before: the first one

Result<Link> create_link(const char* hook, int program_fd, std::uint32_t ifindex, bpf_attach_type type,
                         std::uint32_t flags) {
  bpf_link_create_opts options{};
  options.sz = sizeof(options);
  options.flags = flags;
  const int fd = bpf_link_create(program_fd, static_cast<int>(ifindex), type, &options);
  if (fd < 0) return fail_errno(-fd, std::string("cannot attach by ") + hook);
  return Link(hook, Fd(fd));
}

}  // namespace

Result<std::uint32_t> query_xdp(std::uint32_t ifindex) {
  bpf_xdp_query_opts options{};
  options.sz = sizeof(options);
  const int error = -bpf_xdp_query(static_cast<int>(ifindex), 0, &options);
  if (error != 0) return fail_errno(error, "cannot ask for the XDP program");
  for (const auto id : {options.prog_id, options.drv_prog_id, options.skb_prog_id, options.hw_prog_id})
    if (id != 0) return id;
  return 0U;
}

Result<Link> attach_xdp(int program_fd, std::uint32_t ifindex, XdpMode mode) {
  const bool native = mode == XdpMode::native;
  return create_link(native ? "native XDP" : "generic XDP", program_fd, ifindex, BPF_XDP,
                     native ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE);
}

Result<Link> attach_tcx(int program_fd, std::uint32_t ifindex, TcDirection direction, TcPosition position) {
  return create_link("tcx", program_fd, ifindex,
                     direction == TcDirection::ingress ? attach_tcx_ingress : attach_tcx_egress,
                     position == TcPosition::first ? flag_before : 0);
}

}  // namespace sonde::kernel
