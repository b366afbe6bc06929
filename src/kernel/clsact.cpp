// SPDX-License-Identifier: Apache-2.0
// cls_bpf on clsact: the hook of kernels before tcx (6.6). Unlike a link it outlives its process, so it
// carries the PID.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernel/attach.hpp"
#include "kernel/netlink.hpp"

namespace sonde::kernel {
namespace {

// Behind the filters of most others (tc numbers from 49152 down, Cilium uses 1): we only look.
constexpr std::uint32_t priority = 0xc0de;
constexpr std::string_view program_prefix = "sonde_";

struct Filter {
  TcDirection direction;
  std::uint32_t handle;
  std::uint32_t priority;
  std::string name;  ///< of the BPF program, as the kernel keeps it
};

std::uint32_t parent(TcDirection direction) {
  return TC_H_MAKE(TC_H_CLSACT, direction == TcDirection::ingress ? TC_H_MIN_INGRESS : TC_H_MIN_EGRESS);
}

bpf_tc_hook make_hook(std::uint32_t ifindex, bpf_tc_attach_point point) {
  bpf_tc_hook hook{};
  hook.sz = sizeof(hook);
  hook.ifindex = static_cast<int>(ifindex);
  hook.attach_point = point;
  return hook;
}

bpf_tc_attach_point attach_point(TcDirection direction) {
  return direction == TcDirection::ingress ? BPF_TC_INGRESS : BPF_TC_EGRESS;
}

std::string bpf_filter_name(const rtattr& options) {
  std::string name;
  auto left = static_cast<int>(RTA_PAYLOAD(&options));
  for (const auto* entry = static_cast<const rtattr*>(RTA_DATA(&options)); RTA_OK(entry, left);
       entry = RTA_NEXT(entry, left)) {
    if (entry->rta_type == TCA_BPF_NAME) name = static_cast<const char*>(RTA_DATA(entry));
  }
  return name;
}

Result<std::vector<Filter>> list_filters(int socket, std::uint32_t ifindex, TcDirection direction) {
  struct {
    nlmsghdr header{};
    tcmsg message{};
  } request;
  request.header.nlmsg_type = RTM_GETTFILTER;
  request.message.tcm_ifindex = static_cast<int>(ifindex);
  request.message.tcm_parent = parent(direction);
  std::vector<Filter> filters;
  auto dumped = dump(socket, {reinterpret_cast<std::uint8_t*>(&request), sizeof(request)}, [&](const nlmsghdr& answer) {
    const auto& message = *static_cast<const tcmsg*>(NLMSG_DATA(&answer));
    Filter filter{direction, message.tcm_handle, TC_H_MAJ(message.tcm_info) >> 16, {}};
    for_each_attribute(answer, sizeof(tcmsg), [&](const rtattr& attribute) {
      if (attribute.rta_type == TCA_OPTIONS) filter.name = bpf_filter_name(attribute);
    });
    if (filter.handle != 0) filters.push_back(std::move(filter));  // handle 0: the head of a priority
  });
  if (!dumped) return std::unexpected(dumped.error());
  return filters;
}

// Filters of both directions; none where there is no clsact qdisc.
std::vector<Filter> all_filters(std::uint32_t ifindex) {
  std::vector<Filter> all;
  auto socket = open_rtnetlink();
  if (!socket) return all;
  for (const auto direction : {TcDirection::ingress, TcDirection::egress}) {
    auto filters = list_filters(socket->get(), ifindex, direction);
    if (filters) all.insert(all.end(), filters->begin(), filters->end());
  }
  return all;
}

bool process_lives(std::uint32_t pid) {
  struct stat status {};
  return ::stat(("/proc/" + std::to_string(pid)).c_str(), &status) == 0;
}

// Filters of this process that are attached now, by interface and direction. Links are made and dropped by one thread.
std::set<std::pair<std::uint32_t, TcDirection>>& own_filters() {
  static std::set<std::pair<std::uint32_t, TcDirection>> filters;
  return filters;
}

// In a container every run has the same PID: a filter with ours that we did not attach is that of a killed run.
bool is_stale(const Filter& filter, std::uint32_t ifindex) {
  if (filter.priority != priority || !std::string_view(filter.name).starts_with(program_prefix)) return false;
  if (filter.handle == static_cast<std::uint32_t>(::getpid()))
    return !own_filters().contains({ifindex, filter.direction});
  return !process_lives(filter.handle);
}

int detach_filter(std::uint32_t ifindex, TcDirection direction, std::uint32_t handle) {
  const auto hook = make_hook(ifindex, attach_point(direction));
  bpf_tc_opts options{};
  options.sz = sizeof(options);
  options.handle = handle;
  options.priority = priority;
  return bpf_tc_detach(&hook, &options);
}

// Interfaces whose clsact qdisc this process made. Links are made and dropped by one thread.
std::set<std::uint32_t>& own_qdiscs() {
  static std::set<std::uint32_t> interfaces;
  return interfaces;
}

void destroy_qdisc_if_empty(std::uint32_t ifindex) {
  if (!all_filters(ifindex).empty()) return;
  auto hook = make_hook(ifindex, static_cast<bpf_tc_attach_point>(BPF_TC_INGRESS | BPF_TC_EGRESS));
  bpf_tc_hook_destroy(&hook);
  own_qdiscs().erase(ifindex);
}

}  // namespace

Result<int> remove_stale_clsact(std::uint32_t ifindex) {
  int removed = 0;
  for (const auto& filter : all_filters(ifindex)) {
    if (!is_stale(filter, ifindex)) continue;
    const int error = -detach_filter(ifindex, filter.direction, filter.handle);
    if (error != 0) return fail_errno(error, "cannot remove the clsact filter of a killed process");
    ++removed;
  }
  if (removed > 0) destroy_qdisc_if_empty(ifindex);
  return removed;
}

// Not by bpf_tc_query(), which writes to standard error where there is no clsact qdisc.
bool has_clsact_filter(std::uint32_t ifindex, TcDirection direction, std::uint32_t handle, std::uint32_t prio) {
  const auto filters = all_filters(ifindex);
  return std::ranges::any_of(filters, [&](const Filter& filter) {
    return filter.direction == direction && filter.handle == handle && filter.priority == prio;
  });
}

void remove_clsact_if_unused(std::uint32_t ifindex) { destroy_qdisc_if_empty(ifindex); }

Result<Link> attach_clsact(int program_fd, std::uint32_t ifindex, TcDirection direction) {
  auto cleaned = remove_stale_clsact(ifindex);
  if (!cleaned) return std::unexpected(cleaned.error());
  auto hook = make_hook(ifindex, attach_point(direction));
  const int created = bpf_tc_hook_create(&hook);
  if (created != 0 && created != -EEXIST) return fail_errno(-created, "cannot create the clsact qdisc");
  bpf_tc_opts options{};
  options.sz = sizeof(options);
  options.prog_fd = program_fd;
  options.handle = static_cast<__u32>(::getpid());
  options.priority = priority;
  const int error = -bpf_tc_attach(&hook, &options);
  if (error != 0) {
    if (created == 0) destroy_qdisc_if_empty(ifindex);
    return fail_errno(error, "cannot attach by clsact");
  }
  if (created == 0) own_qdiscs().insert(ifindex);
  own_filters().insert({ifindex, direction});
  return Link("clsact", [ifindex, direction, handle = options.handle] {
    detach_filter(ifindex, direction, handle);
    own_filters().erase({ifindex, direction});
    if (own_qdiscs().contains(ifindex)) destroy_qdisc_if_empty(ifindex);
  });
}

}  // namespace sonde::kernel
