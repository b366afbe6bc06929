// SPDX-License-Identifier: Apache-2.0
#include "kernel/attach.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>

#include <array>
#include <string_view>

namespace sonde::kernel {
namespace {

// Linux 6.6, include/uapi/linux/bpf.h; Debian 12's header is older.
constexpr auto attach_tcx_ingress = static_cast<bpf_attach_type>(46);
constexpr auto attach_tcx_egress = static_cast<bpf_attach_type>(47);
constexpr std::uint32_t flag_before = 1U << 3;  // BPF_F_BEFORE; without a program to be before: the first one
constexpr std::uint32_t flag_id = 1U << 5;      // BPF_F_ID

// `relative`: id of the program that flag_before is about. It has the place of target_btf_id in union bpf_attr.
Result<Link> create_link(const char* hook, int program_fd, std::uint32_t ifindex, bpf_attach_type type,
                         std::uint32_t flags, std::uint32_t relative = 0) {
  bpf_link_create_opts options{};
  options.sz = sizeof(options);
  options.flags = flags;
  options.target_btf_id = relative;
  const int fd = bpf_link_create(program_fd, static_cast<int>(ifindex), type, &options);
  if (fd < 0) return fail_errno(-fd, std::string("cannot attach by ") + hook);
  return Link(hook, Fd(fd));
}

// The first 15 characters are what the kernel keeps of a program's name.
bool is_forwarder(std::uint32_t id) {
  const Fd program(bpf_prog_get_fd_by_id(id));
  bpf_prog_info info{};
  __u32 size = sizeof(info);
  if (!program || bpf_obj_get_info_by_fd(program.get(), &info, &size) != 0) return false;
  const std::string_view name(static_cast<const char*>(info.name));
  return name == "forward_packet" || name == "forward_raw_pac";
}

// Id of the wire splice's program (src/actuators/proxy/wire) at tc ingress; 0: there is none.
std::uint32_t find_forwarder(std::uint32_t ifindex) {
  std::array<__u32, 64> ids{};
  auto count = static_cast<__u32>(ids.size());
  if (bpf_prog_query(static_cast<int>(ifindex), attach_tcx_ingress, 0, nullptr, ids.data(), &count) != 0) return 0;
  for (__u32 i = 0; i < count; ++i)
    if (is_forwarder(ids.at(i))) return ids.at(i);
  return 0;
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
  if (direction == TcDirection::egress || position == TcPosition::first)
    return create_link("tcx", program_fd, ifindex,
                       direction == TcDirection::ingress ? attach_tcx_ingress : attach_tcx_egress,
                       position == TcPosition::first ? flag_before : 0);
  const auto forwarder = find_forwarder(ifindex);
  return create_link("tcx", program_fd, ifindex, attach_tcx_ingress, forwarder != 0 ? flag_before | flag_id : 0,
                     forwarder);
}

}  // namespace sonde::kernel
