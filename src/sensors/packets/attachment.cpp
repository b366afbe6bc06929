// SPDX-License-Identifier: Apache-2.0
#include "sensors/packets/attachment.hpp"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <span>

namespace sonde::packets {
namespace {

/// One rung: a program of the object on a hook.
struct Rung {
  const char* program;
  std::function<Result<kernel::Link>(int program_fd, std::uint32_t ifindex)> attach;
};
using Ladder = std::vector<Rung>;

Rung xdp_rung(kernel::XdpMode mode) {
  return {"sonde_xdp", [mode](int fd, std::uint32_t ifindex) { return kernel::attach_xdp(fd, ifindex, mode); }};
}

void add_tc(Ladder& ladder, const AttachOptions& options, const char* program, kernel::TcDirection direction) {
  if (options.tcx)
    ladder.push_back(
        {program, [direction](int fd, std::uint32_t ifindex) { return kernel::attach_tcx(fd, ifindex, direction); }});
  ladder.push_back(
      {program, [direction](int fd, std::uint32_t ifindex) { return kernel::attach_clsact(fd, ifindex, direction); }});
}

bool uses_xdp(const AttachOptions& options, const kernel::InterfaceInfo& interface) {
  return options.xdp != XdpChoice::off && interface.link_type == LinkType::ethernet && interface.xdp_program == 0;
}

Ladder receive_ladder(const AttachOptions& options, const kernel::InterfaceInfo& interface) {
  Ladder ladder;
  const bool raw = interface.link_type == LinkType::raw_ip;
  if (uses_xdp(options, interface)) {
    if (options.xdp != XdpChoice::generic) ladder.push_back(xdp_rung(kernel::XdpMode::native));
    if (options.xdp != XdpChoice::native) ladder.push_back(xdp_rung(kernel::XdpMode::generic));
    if (options.xdp != XdpChoice::automatic) return ladder;
  }
  add_tc(ladder, options, raw ? "sonde_raw_in" : "sonde_ingress", kernel::TcDirection::ingress);
  return ladder;
}

Ladder send_ladder(const AttachOptions& options, const kernel::InterfaceInfo& interface) {
  Ladder ladder;
  const bool raw = interface.link_type == LinkType::raw_ip;
  add_tc(ladder, options, raw ? "sonde_raw_out" : "sonde_egress", kernel::TcDirection::egress);
  return ladder;
}

// The first rung that holds; an error tells how each one failed.
Result<kernel::Link> climb(const kernel::Object& object, const Ladder& ladder, std::uint32_t ifindex) {
  Error failure;
  for (const auto& rung : ladder) {
    auto fd = object.program_fd(rung.program);
    auto link = fd ? rung.attach(*fd, ifindex) : Result<kernel::Link>(std::unexpected(fd.error()));
    if (link) return link;
    if (!failure.message.empty()) failure.message += "; ";
    failure.message += link.error().text();
    failure.kind = link.error().kind;
  }
  if (failure.kind == ErrorKind::failed) failure.kind = ErrorKind::unsupported;
  return std::unexpected(failure);
}

std::string foreign_xdp_notice(const AttachOptions& options, const kernel::InterfaceInfo& interface) {
  std::string notice = interface.name + ": XDP program " + std::to_string(interface.xdp_program) +
                       " is attached and stays; what it drops or redirects is not seen here";
  if (options.xdp != XdpChoice::off) notice += "; received packets are taken at tc ingress";
  return notice;
}

}  // namespace

void wait_for_running_programs() { ::syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0); }

Result<void> Attachments::attach(const kernel::InterfaceInfo& interface) {
  const bool receive = options_.receive;
  const bool send = options_.send && !(interface.loopback && receive);
  std::vector<kernel::Link> links;
  std::string notice = interface.name + ":";
  const auto add = [&](const char* direction, const Ladder& ladder) -> Result<void> {
    auto link = climb(*object_, ladder, interface.ifindex);
    if (!link)
      return fail(link.error().kind, interface.name + ": " + direction + ": " + link.error().message,
                  link.error().hint);
    notice += (links.empty() ? " " : ", ") + std::string(direction) + " by " + link->hook();
    links.push_back(std::move(*link));
    return {};
  };
  if (receive) {
    auto added = add("in", receive_ladder(options_, interface));
    if (!added) return added;
  }
  if (send) {
    auto added = add("out", send_ladder(options_, interface));
    if (!added) return added;
  }
  if (interface.xdp_program != 0 && receive) notices_.push_back(foreign_xdp_notice(options_, interface));
  if (!interface.up) notice += " (the interface is down)";
  notices_.push_back(std::move(notice));
  links_.insert_or_assign(interface.ifindex, std::move(links));
  return {};
}

void Attachments::forget(std::uint32_t ifindex) { links_.erase(ifindex); }

void Attachments::detach() {
  links_.clear();
  wait_for_running_programs();
}

}  // namespace sonde::packets
